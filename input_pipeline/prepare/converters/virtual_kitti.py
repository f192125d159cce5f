"""Virtual KITTI 2: five synthetic scenes in ten variants, colour labels."""

from collections.abc import Collection, Iterator

from input_pipeline.datasets.virtual_kitti import VIRTUAL_KITTI as CLASSES
from input_pipeline.prepare.converter import Converter
from input_pipeline.prepare.divided import divided_plan
from input_pipeline.prepare.files import Files
from input_pipeline.prepare.pixels import colours_png

_UNDEFINED = (255, (0, 0, 0))
_PALETTE = (_UNDEFINED, *((label, colour) for label, (_, colour) in enumerate(CLASSES)))
_VAL = "Scene06"


def _parts(files: Files, names: Collection[str]) -> Iterator[tuple[str, str]]:
    """One scene is for `val`: frames of one scene look alike."""
    del files
    return ((name, "val" if name.startswith(_VAL) else "train") for name in names)


def _pattern(kind, name):
    return rf"(Scene\d+)/([\w-]+)/frames/{kind}/(Camera_[01])/{name}"


VIRTUAL_KITTI = Converter(
    name="virtual_kitti",
    title="Virtual KITTI 2, synthetic streets, 14 classes",
    sources=("vkitti_2.0.3_rgb.tar", "vkitti_2.0.3_classSegmentation.tar"),
    url="https://europe.naverlabs.com/research/computer-vision/"
    "proxy-virtual-worlds-vkitti-2",
    licence="CC BY-NC-SA 3.0",
    size="42520 images of 1242x375, 8 GB",
    layout="SCENE/VARIANT/frames/rgb/CAMERA/rgb_NNNNN.jpg, "
    "SCENE/VARIANT/frames/classSegmentation/CAMERA/classgt_NNNNN.png",
    dataset="VirtualKITTIDataset",
    home="data/virtual_kitti",
    plan=divided_plan(
        _pattern("rgb", r"rgb_(\d{5})\.jpg"),
        _pattern("classSegmentation", r"classgt_(\d{5})\.png"),
        *(42520, ".jpg", colours_png, _PALETTE),
        parts=_parts,
    ),
    checks=f"It is published without parts: {_VAL} is for val.",
    scale=(1242, 375),
    crop_size=(368, 368),
)

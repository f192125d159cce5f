"""LabelMeFacade: JPEG images, colour labels, two lists."""

from input_pipeline.datasets.labelmefacade import LABELMEFACADE as CLASSES
from input_pipeline.prepare.converter import Converter
from input_pipeline.prepare.divided import by_lists, divided_plan
from input_pipeline.prepare.pixels import colours_png

_VARIOUS = (255, (0, 0, 0))
_PALETTE = (_VARIOUS, *((label, colour) for label, (_, colour) in enumerate(CLASSES)))


def _stem(line: str) -> str:
    return line.removeprefix("images/").removesuffix(".jpg")


LABELMEFACADE = Converter(
    name="labelmefacade",
    title="LabelMeFacade, fronts of houses, 8 classes",
    sources=("labelmefacade-master.zip",),
    url="https://github.com/cvjena/labelmefacade",
    licence="research, not commercial",
    size="945 images of several sizes, 300 MB",
    layout="images/*.jpg, labels/*.png, train.txt, test.txt",
    dataset="LabelMeFacadeDataset",
    home="data/labelmefacade",
    plan=divided_plan(
        *(r"images/([^/]+)\.jpg", r"labels/([^/]+)\.png"),
        *(945, ".jpg", colours_png, _PALETTE),
        parts=by_lists(r"test\.txt", r"train\.txt", _stem),
    ),
    checks="`various`, black, is ignored.",
    scale=(512, 512),
    crop_size=(256, 256),
)

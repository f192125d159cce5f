"""GTA5, "Playing for Data": images and Cityscapes' ids of a game's streets."""

import io
from collections.abc import Collection, Iterable

from input_pipeline.formats.mat import decode_mat
from input_pipeline.prepare.archive import read_member
from input_pipeline.prepare.converter import Converter
from input_pipeline.prepare.converters.cityscapes import TRAIN_IDS
from input_pipeline.prepare.divided import as_listed, divided_plan
from input_pipeline.prepare.files import Files
from input_pipeline.prepare.pixels import ids_png

_IMAGES = 24966
_PARTS = {"train": "trainIds", "val": "valIds"}


def _parts(files: Files, names: Collection[str]) -> Iterable[tuple[str, str]]:
    """The parts of split.mat."""
    split = files.one(r"split\.mat", "the parts, of read_mapping.zip,")
    data = read_member(split, 1 << 20)
    listed = {}
    for part, variable in _PARTS.items():
        numbers = decode_mat(io.BytesIO(data), str(split), _IMAGES, variable)
        listed[part] = [f"{n:05}" for n in numbers.ravel().tolist()]
    return as_listed(files, names, listed)


GTA5 = Converter(
    name="gta5",
    title="GTA5 (Playing for Data), synthetic streets, Cityscapes' 19 classes",
    sources=("01_images.zip", "01_labels.zip", "...", "read_mapping.zip"),
    url="https://download.visinf.tu-darmstadt.de/data/from_games",
    licence="research and education",
    size="24966 images of 1914x1052, 57 GB",
    layout="images/NNNNN.png, labels/NNNNN.png, split.mat",
    dataset="GTA5Dataset",
    home="data/gta5",
    plan=divided_plan(
        *(r"images/(\d{5})\.png", r"labels/(\d{5})\.png"),
        *(_IMAGES, ".png", ids_png, (*TRAIN_IDS, (34, 255))),
        parts=_parts,
    ),
    scale=(1914, 1052),
    crop_size=(512, 1024),
)

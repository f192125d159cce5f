"""CCP, Clothing Co-Parsing: 1004 of its photographs have labels of pixels."""

from input_pipeline.datasets.ccp import CCP as CLASSES
from input_pipeline.prepare.converter import Converter
from input_pipeline.prepare.divided import DIVIDED, divided_plan
from input_pipeline.prepare.pixels import matrix_png

_TABLE = tuple((label, label) for label in range(len(CLASSES)))
_NAMES = r"(0\d{3}|100[0-4])"

CCP = Converter(
    name="ccp",
    title="CCP, clothes in photographs, 59 classes",
    sources=("clothing-co-parsing-master.zip",),
    url="https://github.com/bearpaw/clothing-co-parsing",
    licence="research, not commercial",
    size="1004 images of 550x830 or so, 380 MB",
    layout="photos/NNNN.jpg, annotations/pixel-level/NNNN.mat (groundtruth)",
    dataset="CCPDataset",
    home="data/ccp",
    plan=divided_plan(
        rf"photos/{_NAMES}\.jpg",
        rf"annotations/pixel-level/{_NAMES}\.mat",
        *(1004, ".jpg", matrix_png, "groundtruth", _TABLE),
    ),
    checks=f"{DIVIDED} Photographs from 1005 on, with labels of whole images, are left "
    "out.",
    scale=(550, 830),
)

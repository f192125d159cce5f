"""CrackForest: cracks in roads, labels in the structure groundTruth of .mat files."""

from input_pipeline.prepare.converter import Converter
from input_pipeline.prepare.divided import DIVIDED, divided_plan
from input_pipeline.prepare.pixels import matrix_png

# Region 1 is the road, 2 the crack.
_TABLE = ((1, 0), (2, 1))
# Images from 119 on have no labels.
_NAMES = r"(0\d\d|10\d|11[0-8])"

CRACK_FOREST = Converter(
    name="crack_forest",
    title="CrackForest, cracks in roads",
    sources=("CrackForest-dataset-master.zip",),
    url="https://github.com/cuilimeng/CrackForest-dataset",
    licence="research, not commercial",
    size="118 images of 480x320, 30 MB",
    layout="image/NNN.jpg, groundTruth/NNN.mat (groundTruth.Segmentation)",
    dataset="CrackForestDataset",
    home="data/crack_forest",
    plan=divided_plan(
        *(rf"image/{_NAMES}\.jpg", rf"groundTruth/{_NAMES}\.mat"),
        *(118, ".jpg", matrix_png, "groundTruth.Segmentation", _TABLE, 255),
    ),
    checks=f"{DIVIDED} In a segmentation region 1 is taken for the road and 2 for the "
    "crack; what has a number above is ignored.",
    scale=(480, 320),
    crop_size=(256, 256),
)

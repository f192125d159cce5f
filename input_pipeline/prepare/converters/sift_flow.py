"""SIFT Flow: outdoor scenes of LabelMe, labels as matrices S of .mat files."""

from input_pipeline.datasets.sift_flow import SIFT_FLOW as CLASSES
from input_pipeline.prepare.converter import Converter
from input_pipeline.prepare.divided import by_lists, divided_plan
from input_pipeline.prepare.pixels import matrix_png

_TABLE = ((0, 255), *((i + 1, i) for i in range(len(CLASSES))))
_FOLDER = "spatial_envelope_256x256_static_8outdoorcategories"


def _stem(line: str) -> str:
    """The list was written on Windows: FOLDER\\NAME.jpg."""
    return line.replace("\\", "/").rpartition("/")[2].removesuffix(".jpg")


SIFT_FLOW = Converter(
    name="sift_flow",
    title="SIFT Flow, outdoor scenes, 33 classes",
    sources=("SiftFlowDataset.zip",),
    url="http://www.cs.unc.edu/~jtighe/Papers/ECCV10",
    licence="research; images of LabelMe",
    size="2688 images of 256x256, 140 MB",
    layout="Images/FOLDER/*.jpg, SemanticLabels/FOLDER/*.mat (S), TestSet1.txt",
    dataset="SIFTFlowDataset",
    home="data/sift_flow",
    plan=divided_plan(
        rf"Images/{_FOLDER}/([^/]+)\.jpg",
        rf"SemanticLabels/{_FOLDER}/([^/]+)\.mat",
        *(2688, ".jpg", matrix_png, "S", _TABLE),
        parts=by_lists(r"TestSet1\.txt", stem=_stem),
    ),
    checks="TestSet1.txt, of 200 images, is for val. GeoLabels are not read.",
    scale=(256, 256),
    crop_size=(256, 256),
)

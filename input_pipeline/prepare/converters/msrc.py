"""MSRC version 2: BMP images and colour labels."""

from input_pipeline.datasets.msrc import MSRC as CLASSES
from input_pipeline.prepare.converter import Converter
from input_pipeline.prepare.divided import DIVIDED, divided_plan
from input_pipeline.prepare.pixels import colours_png

# Void; horse and mountain, of which the authors say not to use them.
_IGNORED = ((0, 0, 0), (128, 0, 128), (64, 0, 0))
_PALETTE = (
    *((label, colour) for label, (_, colour) in enumerate(CLASSES)),
    *((255, colour) for colour in _IGNORED),
)

MSRC = Converter(
    name="msrc",
    title="MSRC version 2, objects and stuff, 21 classes",
    sources=("MSRC_ObjCategImageDatabase_v2.zip",),
    url="https://www.microsoft.com/en-us/research/project/image-understanding",
    licence="research, not commercial",
    size="591 images of 320x213, 112 MB",
    layout="Images/C_N_s.bmp, GroundTruth/C_N_s_GT.bmp",
    dataset="MSRCDataset",
    home="data/msrc",
    plan=divided_plan(
        *(r"Images/(\d+_\d+_s)\.bmp", r"GroundTruth/(\d+_\d+_s)_GT\.bmp"),
        *(591, ".bmp", colours_png, _PALETTE),
    ),
    checks=DIVIDED,
    scale=(320, 213),
    crop_size=(192, 192),
)

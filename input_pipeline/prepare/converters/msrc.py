"""MSRC versions 1 and 2: BMP images and colour labels."""

from input_pipeline.datasets.msrc import MSRC as CLASSES
from input_pipeline.datasets.msrc import MSRC_V1 as CLASSES_V1
from input_pipeline.prepare.converter import Converter
from input_pipeline.prepare.divided import DIVIDED, divided_plan
from input_pipeline.prepare.pixels import colours_png

# Void; horse and mountain, of which the authors say not to use them.
_IGNORED = ((0, 0, 0), (128, 0, 128), (64, 0, 0))
_PALETTE = (
    *((label, colour) for label, (_, colour) in enumerate(CLASSES)),
    *((255, colour) for colour in _IGNORED),
)
# The colours of version 2; those of its classes that are not of version 1 are ignored.
_PALETTE_V1 = (
    *((CLASSES_V1.index(c) if c in CLASSES_V1 else 255, c[1]) for c in CLASSES),
    *((255, colour) for colour in _IGNORED),
)

MSRC_V1 = Converter(
    name="msrc_v1",
    title="MSRC version 1, objects and stuff, 9 classes",
    sources=("MSRC_ObjCategImageDatabase_v1.zip",),
    url="https://www.microsoft.com/en-us/research/project/image-understanding",
    licence="research, not commercial",
    size="240 images of 320x213, 46 MB",
    layout="C_N_s.bmp, C_N_s_GT.bmp",
    dataset="MSRCDataset_v1",
    home="data/msrc_v1",
    plan=divided_plan(
        *(r"(\d+_\d+_s)\.bmp", r"(\d+_\d+_s)_GT\.bmp"),
        *(240, ".bmp", colours_png, _PALETTE_V1),
    ),
    checks=f"{DIVIDED} The colours are taken to be those of version 2; others are an "
    "error.",
    scale=(320, 213),
    crop_size=(192, 192),
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

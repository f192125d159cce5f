"""Pratheepan: photographs of one and of several people, masks of their skin."""

from input_pipeline.prepare.converter import Converter
from input_pipeline.prepare.divided import DIVIDED, divided_plan
from input_pipeline.prepare.pixels import mask_png

PRATHEEPAN = Converter(
    name="pratheepan",
    title="Pratheepan, skin in photographs",
    sources=("Face_Dataset.zip",),
    url="http://cs-chan.com/downloads_skin_dataset.html",
    licence="research, not commercial",
    size="78 images of several sizes, 6 MB",
    layout="{FacePhoto,FamilyPhoto}/*.jpg, {GroundT_FacePhoto,GroundT_FamilyPhoto}/*.png",
    dataset="PratheepanDataset",
    home="data/pratheepan",
    plan=divided_plan(
        r"(FacePhoto|FamilyPhoto)/([^/]+)\.jpe?g",
        r"GroundT_(FacePhoto|FamilyPhoto)/([^/]+)\.png",
        *(78, ".jpg", mask_png),
    ),
    checks=DIVIDED,
    scale=(512, 512),
    crop_size=(256, 256),
)

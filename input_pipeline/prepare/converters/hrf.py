"""HRF: three zips of JPEG images and three of TIFF masks, or all.zip."""

from input_pipeline.prepare.converter import Converter
from input_pipeline.prepare.pixels import image_png, mask_png
from input_pipeline.prepare.splits import Split, folders, split_plan


def _split(numbers, split, expected):
    return Split(
        name=split,
        images=rf"({numbers}_(?:h|g|dr))\.(?i:jpe?g)",
        labels=rf"({numbers}_(?:h|g|dr))\.(?i:tiff?)",
        image_to=f"images/{split}/{{}}.png",
        label_to=f"annotations/{split}/{{}}.png",
        expected=expected,
        image=image_png,
        label=mask_png,
    )


HRF = Converter(
    name="hrf",
    title="HRF, retinal vessels in high resolution",
    sources=(
        *("healthy.zip", "healthy_manualsegm.zip"),
        *("glaucoma.zip", "glaucoma_manualsegm.zip"),
        *("diabetic_retinopathy.zip", "diabetic_retinopathy_manualsegm.zip"),
    ),
    url="https://www5.cs.fau.de/research/data/fundus-images",
    licence="CC BY 4.0",
    size="45 images of 3504x2336, 73 MB",
    layout="NN_{h,g,dr}.jpg, NN_{h,g,dr}.tif",
    dataset="HRFDataset",
    home="data/HRF",
    plan=split_plan(
        _split(r"0[1-5]", "training", 15),
        _split(r"(?:0[6-9]|1[0-5])", "validation", 30),
        train=folders("images/training", "annotations/training"),
        val=folders("images/validation", "annotations/validation"),
    ),
    scale=(2336, 3504),
    crop_size=(256, 256),
)

"""CHASE_DB1: CHASEDB1.zip, JPEG images with two observers' PNG masks."""

from input_pipeline.prepare.converter import Converter
from input_pipeline.prepare.pixels import image_png, mask_png
from input_pipeline.prepare.splits import Split, folders, split_plan

# The children of each part; both eyes of a child are in one.
_TRAINING, _VALIDATION = r"(?:0[1-9]|10)", r"1[1-4]"


def _split(children, split, expected):
    return Split(
        name=split,
        images=rf"(Image_{children}[LR])\.jpg",
        labels=rf"(Image_{children}[LR])_1stHO\.png",
        image_to=f"images/{split}/{{}}.png",
        label_to=f"annotations/{split}/{{}}_1stHO.png",
        expected=expected,
        image=image_png,
        label=mask_png,
    )


def _second(children, split):
    pattern = rf"(Image_{children}[LR])_2ndHO\.png"
    return pattern, f"annotations/{split}/{{}}_2ndHO.png", mask_png


CHASE_DB1 = Converter(
    name="chase_db1",
    title="CHASE_DB1, retinal vessels of children",
    sources=("CHASEDB1.zip",),
    url="https://blogs.kingston.ac.uk/retinal/chasedb1",
    licence="research",
    size="28 images of 999x960, 3 MB",
    layout="Image_NN{L,R}.jpg, Image_NN{L,R}_{1stHO,2ndHO}.png",
    dataset="ChaseDB1Dataset",
    home="data/CHASE_DB1",
    plan=split_plan(
        _split(_TRAINING, "training", 20),
        _split(_VALIDATION, "validation", 8),
        train=folders("images/training", "annotations/training"),
        val=folders("images/validation", "annotations/validation"),
        others=(_second(_TRAINING, "training"), _second(_VALIDATION, "validation")),
    ),
    scale=(960, 999),
    crop_size=(128, 128),
)

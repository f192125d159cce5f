"""STARE: three tars of PPM files, each compressed by gzip or compress."""

from input_pipeline.prepare.converter import Converter
from input_pipeline.prepare.pixels import image_png, mask_png
from input_pipeline.prepare.splits import Split, folders, split_plan

# mmseg's parts: the first ten of the 20 names, and the others.
_TRAINING = r"im0(?:00[1-5]|044|077|081|082|139)"
_VALIDATION = r"im0(?:162|163|235|236|239|240|255|291|319|324)"
_END = r"\.ppm(?:\.gz|\.Z)?"


def _split(names, split):
    return Split(
        name=split,
        images=rf"({names}){_END}",
        labels=rf"({names})\.ah{_END}",
        image_to=f"images/{split}/{{}}.png",
        label_to=f"annotations/{split}/{{}}.ah.png",
        expected=10,
        image=image_png,
        label=mask_png,
    )


def _second(names, split):
    return rf"({names})\.vk{_END}", f"annotations/{split}/{{}}.vk.png", mask_png


STARE = Converter(
    name="stare",
    title="STARE, retinal vessels",
    sources=("stare-images.tar", "labels-ah.tar", "labels-vk.tar"),
    url="https://cecas.clemson.edu/~ahoover/stare/probing",
    licence="research",
    size="20 images of 700x605, 18 MB",
    layout="imNNNN.ppm.gz, imNNNN.{ah,vk}.ppm.gz; .Z in older copies",
    dataset="STAREDataset",
    home="data/STARE",
    plan=split_plan(
        _split(_TRAINING, "training"),
        _split(_VALIDATION, "validation"),
        train=folders("images/training", "annotations/training"),
        val=folders("images/validation", "annotations/validation"),
        others=(_second(_TRAINING, "training"), _second(_VALIDATION, "validation")),
    ),
    scale=(605, 700),
    crop_size=(128, 128),
)

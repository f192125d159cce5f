"""LoveDA: Train.zip, Val.zip and Test.zip; rural and urban tiles join in one folder."""

from input_pipeline.prepare.converter import Converter
from input_pipeline.prepare.splits import Split, folders, split_plan


def _split(part, expected):
    split = part.lower()
    return Split(
        name=split,
        images=rf"{part}/(?:Rural|Urban)/images_png/(\d+)\.png",
        labels=rf"{part}/(?:Rural|Urban)/masks_png/(\d+)\.png" * (part != "Test"),
        image_to=f"img_dir/{split}/{{}}.png",
        label_to=f"ann_dir/{split}/{{}}.png",
        expected=expected,
    )


LOVEDA = Converter(
    name="loveda",
    title="LoveDA, land cover, 7 classes",
    sources=("Train.zip", "Val.zip", "Test.zip"),
    url="https://zenodo.org/record/5706578",
    licence="CC BY-NC-SA 4.0",
    size="5987 images of 1024x1024, 9.6 GB",
    layout="{Train,Val,Test}/{Rural,Urban}/{images_png,masks_png}/N.png",
    dataset="LoveDADataset",
    home="data/loveDA",
    plan=split_plan(
        *(_split("Train", 2522), _split("Val", 1669), _split("Test", 1796)),
        train=folders("img_dir/train", "ann_dir/train"),
        val=folders("img_dir/val", "ann_dir/val"),
    ),
    scale=(1024, 1024),
)

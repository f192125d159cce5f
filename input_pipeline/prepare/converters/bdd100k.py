"""BDD100K: the 10K images and the masks of semantic segmentation."""

from input_pipeline.prepare.converter import Converter
from input_pipeline.prepare.splits import Split, folders, split_plan


def _split(split, expected):
    labels = "labels/sem_seg/masks"
    return Split(
        name=split,
        images=rf"images/10k/{split}/([\w-]+)\.jpg",
        labels=rf"{labels}/{split}/([\w-]+)\.png" * (split != "test"),
        image_to=f"images/10k/{split}/{{}}.jpg",
        label_to=f"{labels}/{split}/{{}}.png",
        expected=expected,
    )


BDD100K = Converter(
    name="bdd100k",
    title="BDD100K, street scenes, Cityscapes' 19 classes",
    sources=("bdd100k_images_10k.zip", "bdd100k_sem_seg_labels_trainval.zip"),
    url="https://www.vis.xyz/bdd100k",
    licence="research; registration",
    size="10000 images of 1280x720, 1.2 GB",
    layout="bdd100k/images/10k/SPLIT/*.jpg, bdd100k/labels/sem_seg/masks/SPLIT/*.png",
    dataset="BDD100KDataset",
    home="data/bdd100k",
    plan=split_plan(
        *(_split("train", 7000), _split("val", 1000), _split("test", 2000)),
        train=folders("images/10k/train", "labels/sem_seg/masks/train"),
        val=folders("images/10k/val", "labels/sem_seg/masks/val"),
    ),
    scale=(1280, 720),
)

"""LIP: LIP.zip, or the two archives in it, the second of which holds itself an archive."""

from input_pipeline.prepare.converter import Converter
from input_pipeline.prepare.splits import Split, folders, split_plan


def _split(split, expected):
    return Split(
        name=split,
        images=rf"{split}_images/(\d+_\d+)\.jpg",
        labels=rf"{split}_segmentations/(\d+_\d+)\.png",
        image_to=f"{split}_images/{{}}.jpg",
        label_to=f"{split}_segmentations/{{}}.png",
        expected=expected,
    )


LIP = Converter(
    name="lip",
    title="LIP, Look into Person, parts of people, 20 classes",
    sources=("TrainVal_images.zip", "TrainVal_parsing_annotations.zip"),
    url="https://lip.sysuhcp.com/overview.php",
    licence="research",
    size="40462 images, 2 GB",
    layout="{train,val}_images/N_N.jpg, {train,val}_segmentations/N_N.png",
    dataset="LIPDataset",
    home="data/LIP",
    plan=split_plan(
        *(_split("train", 30462), _split("val", 10000)),
        train=folders("train_images", "train_segmentations"),
        val=folders("val_images", "val_segmentations"),
    ),
    inner_archives=r"TrainVal_(images|parsing_annotations)\.zip$",
    checks="Of LIP.zip the archives inside are opened, but not those inside of them: "
    "give TrainVal_parsing_annotations.zip itself.",
    scale=(473, 473),
    crop_size=(473, 473),
)

"""ADE20K of the scene parsing challenge: 150 classes, ids from 1 on."""

from input_pipeline.prepare.converter import Converter
from input_pipeline.prepare.splits import Split, folders, split_plan


def _split(split, short, expected):
    return Split(
        name=split,
        images=rf"images/{split}/(ADE_{short}_\d+)\.jpg",
        labels=rf"annotations/{split}/(ADE_{short}_\d+)\.png",
        image_to=f"images/{split}/{{}}.jpg",
        label_to=f"annotations/{split}/{{}}.png",
        expected=expected,
    )


ADE20K = Converter(
    name="ade20k",
    title="ADE20K (SceneParse150), indoors and outdoors, 150 classes",
    sources=("ADEChallengeData2016.zip",),
    url="http://sceneparsing.csail.mit.edu",
    licence="research and education; images of their owners",
    size="22210 images, 923 MB",
    layout="ADEChallengeData2016/{images,annotations}/{training,validation}",
    dataset="ADE20KDataset",
    home="data/ade/ADEChallengeData2016",
    plan=split_plan(
        *(_split("training", "train", 20210), _split("validation", "val", 2000)),
        train=folders("images/training", "annotations/training"),
        val=folders("images/validation", "annotations/validation"),
    ),
    train_with="experiments/ade20k_upernet.py",
)

"""HSI-Drive 2.0: hyperspectral images as .npy, labels as PNG, in mmseg's layout."""

from input_pipeline.datasets.hsi_drive import HSI_DRIVE as CLASSES
from input_pipeline.prepare.converter import Converter
from input_pipeline.prepare.pixels import ids_png
from input_pipeline.prepare.splits import Split, folders, split_plan

_TABLE = tuple((label, label) for label in range(len(CLASSES)))


def _split(part):
    return Split(
        name=part,
        images=rf"images/{part}/([^/]+)\.npy",
        labels=rf"annotations/{part}/([^/]+)\.png",
        image_to=f"images/{part}/{{}}.npy",
        label_to=f"annotations/{part}/{{}}.png",
        expected=None,
        label=ids_png,
        label_arguments=(_TABLE,),
    )


HSI_DRIVE = Converter(
    name="hsi_drive",
    title="HSI-Drive 2.0, streets in 25 bands, 11 classes",
    sources=("HSIDrive20",),
    url="https://ipaccess.ehu.eus/HSI-Drive",
    licence="research; a password on request",
    size="752 images of 409x216",
    layout="a folder with images/{training,validation,test}/*.npy and "
    "annotations/{training,validation,test}/*.png; HSI_Drive_v2_0_Phyton.zip needs its "
    "password, so it is to be unpacked",
    dataset="HSIDrive20Dataset",
    home="data/HSIDrive20",
    plan=split_plan(
        *(_split("training"), _split("validation"), _split("test")),
        train=folders("images/training", "annotations/training"),
        val=folders("images/validation", "annotations/validation"),
    ),
    checks="Numbers of images are not compared. A config needs LoadImageFromFile("
    "color_type='unchanged'), backbone.in_channels=25, mean and std of 25 values, no "
    "PhotoMetricDistortion, and label_map={0: 255} to ignore what is unlabelled.",
    has_config=False,
)

"""REFUGE: fundus images and BMP masks of disc and cup."""

from input_pipeline.prepare.converter import Converter
from input_pipeline.prepare.pixels import grey_ids_png, image_png
from input_pipeline.prepare.splits import Split, folders, split_plan

# Cup, disc, background.
_TABLE = ((0, 1), (128, 2), (255, 0))


def _split(split, names):
    return Split(
        name=split,
        images=rf"[\w-]*400(?:\.zip)?/(?!.*Illustration)(?:.*/)?({names}\d{{4}})\.jpg",
        labels=rf"Disc_Cup_Masks/(?:.*/)?({names}\d{{4}})\.bmp",
        image_to=f"images/{split}/{{}}.png",
        label_to=f"annotations/{split}/{{}}.png",
        expected=400,
        image=image_png,
        label=grey_ids_png,
        label_arguments=(_TABLE,),
    )


REFUGE = Converter(
    name="refuge",
    title="REFUGE, optic disc and cup",
    sources=("REFUGE2.zip",),
    url="https://refuge.grand-challenge.org",
    licence="research; registration",
    size="1200 images, 2.5 GB",
    layout="REFUGE2.zip, or the six archives in it: REFUGE-{Training,Validation,Test}400"
    ".zip, Annotation-Training400.zip, REFUGE-Validation400-GT.zip, REFUGE-Test-GT.zip",
    dataset="REFUGEDataset",
    home="data/REFUGE",
    plan=split_plan(
        _split("training", "[gn]"),
        _split("validation", "V"),
        _split("test", "T"),
        train=folders("images/training", "annotations/training"),
        val=folders("images/validation", "annotations/validation"),
    ),
    inner_archives=r"(REFUGE|Annotation)-[\w-]+\.zip$",
    scale=(2124, 2056),
)

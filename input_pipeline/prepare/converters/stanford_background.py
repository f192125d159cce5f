"""Stanford background: JPEG images, and labels as matrices of numbers in text files."""

from input_pipeline.formats.limits import MAX_PIXELS
from input_pipeline.formats.text_matrix import decode_text_matrix
from input_pipeline.prepare.archive import Member, read_member
from input_pipeline.prepare.converter import Converter, Outputs
from input_pipeline.prepare.divided import DIVIDED, divided_plan
from input_pipeline.prepare.output import as_png
from input_pipeline.prepare.pixels import replace_ids

_TABLE = {-1: 255} | {label: label for label in range(8)}
_MOST_BYTES = 1 << 28


def regions_png(member: Member, to: str) -> Outputs:
    """A matrix of numbers in a text file as PNG; -1, unknown, becomes 255."""
    text = read_member(member, _MOST_BYTES)
    label = decode_text_matrix(text, str(member), MAX_PIXELS)
    yield to, as_png(replace_ids(label, _TABLE, None, str(member)))


STANFORD_BACKGROUND = Converter(
    name="stanford_background",
    title="Stanford background, outdoor scenes, 8 classes",
    sources=("iccv09Data.tar.gz",),
    url="http://dags.stanford.edu/projects/scenedataset.html",
    licence="research",
    size="715 images of 320x240, 14 MB",
    layout="iccv09Data/images/N.jpg, labels/N.regions.txt",
    dataset="StanfordBackgroundDataset",
    home="data/stanford_background",
    plan=divided_plan(
        r"images/(\d+)\.jpg", r"labels/(\d+)\.regions\.txt", 715, ".jpg", regions_png
    ),
    checks=DIVIDED,
    scale=(320, 240),
    crop_size=(224, 224),
)

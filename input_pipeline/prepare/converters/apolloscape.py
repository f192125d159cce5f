"""ApolloScape scene parsing: streets of China, 8-bit ids, groups of objects joined."""

from collections.abc import Collection, Iterator

from input_pipeline.errors import DataError
from input_pipeline.prepare.converter import Converter
from input_pipeline.prepare.divided import divided_plan
from input_pipeline.prepare.files import Files
from input_pipeline.prepare.pixels import ids_png

# Ids of the classes in order; of bicycles, cars and the like also those of groups.
_IDS = (
    *(17, 33, 34, 35, 36, 37, 38, 39, 40, 49, 50, 65, 66, 67),
    *(81, 82, 83, 84, 85, 86, 97, 113),
)
_GROUPS = tuple((128 + label, _IDS.index(label)) for label in range(33, 41))
# Others, the camera's own car, bridge, tunnel, overpass, unlabeled.
_IGNORED = tuple((label, 255) for label in (0, 1, 98, 99, 100, 255))
_TABLE = (
    *((label, i) for i, label in enumerate(_IDS)),
    *(*_GROUPS, *_IGNORED),
)


def _parts(files: Files, names: Collection[str]) -> Iterator[tuple[str, str]]:
    """Of the records in order every fifth, or the last of fewer, is for `val`."""
    records = sorted({_record(name) for name in names})
    if len(records) < 2:
        raise DataError(
            f"{', '.join(files.given)}: frames of {records}; at least two records are "
            "needed, one of them for val."
        )
    val = records[4::5] or records[-1:]
    return ((name, "val" if _record(name) in val else "train") for name in names)


def _record(name):
    return "/".join(name.split("/")[:2])


def _pattern(kind, end):
    return rf"(road\d+)_(?:ins|seg)/{kind}/(Record\d+(?:/Camera [56])?/\w+){end}"


APOLLOSCAPE = Converter(
    name="apolloscape",
    title="ApolloScape scene parsing, streets of China, 22 classes",
    sources=("road01_ins.tar.gz", "road02_seg.tar.gz", "..."),
    url="https://apolloscape.auto/scene.html",
    licence="research, not commercial; registration",
    size="140000 images of 3384x2710 in all, 12 to 60 GB a road",
    layout="ROAD_{ins,seg}/ColorImage/RECORD/CAMERA/*.jpg, "
    "ROAD_{ins,seg}/Label/RECORD/CAMERA/*_bin.png",
    dataset="ApolloScapeDataset",
    home="data/apolloscape",
    plan=divided_plan(
        _pattern("ColorImage", r"\.jpg"),
        _pattern("Label", r"_bin\.png"),
        *(None, ".jpg", ids_png, _TABLE),
        parts=_parts,
    ),
    checks="Any number of roads is taken, and no number of images is compared. Of the "
    "records in order every fifth is for val. Groups (car_groups and the like) count as "
    "what they are groups of; others, rover, bridge, tunnel and overpass are ignored, "
    "as by the authors' train ids.",
    scale=(1692, 1355),
    crop_size=(512, 512),
)

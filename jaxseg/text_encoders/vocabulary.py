"""Names of data sets, and the names of their classes: mmseg's `get_classes`."""

from input_pipeline import datasets
from jaxseg.errors import FieldError

_NAMES = {
    "ADE20KDataset": ("ade", "ade20k"),
    "BDD100KDataset": ("bdd100k",),
    "CityscapesDataset": ("cityscapes",),
    "COCOStuffDataset": (
        "cocostuff",
        "cocostuff10k",
        "cocostuff164k",
        "coco-stuff",
        "coco-stuff10k",
        "coco-stuff164k",
        "coco_stuff",
        "coco_stuff10k",
        "coco_stuff164k",
    ),
    "LoveDADataset": ("loveda",),
    "MapillaryDataset_v1": ("mapillary_v1",),
    "MapillaryDataset_v2": ("mapillary_v2",),
    "PascalContextDataset59": ("pcontext", "pascal_context", "voc2010"),
    "PascalVOCDataset": ("voc", "pascal_voc", "voc12", "voc12aug"),
    "PotsdamDataset": ("potsdam", "vaihingen"),
    "STAREDataset": ("stare", "STARE"),
    "iSAIDDataset": ("isaid", "iSAID"),
}
_DATASETS = {name: key for key, names in _NAMES.items() for name in names}


def classes_of(dataset_name: str) -> tuple[str, ...]:
    """The names of a data set's classes, without a `background` that comes first.

    Raises:
        FieldError: for a name that is not known.
    """
    if dataset_name not in _DATASETS:
        raise FieldError(
            f"dataset_name: is {dataset_name!r}, allowed: {', '.join(_DATASETS)}; the "
            "classes of another data set are given as vocabulary"
        )
    names = [name for name, _ in getattr(datasets, _DATASETS[dataset_name]).CLASSES]
    return tuple(names[names[0] == "background" :])

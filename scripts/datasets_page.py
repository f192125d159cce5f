"""Prints docs/datasets.md, which is made of the classes of published data sets.

    python scripts/datasets_page.py > docs/datasets.md

A section a family, and in it of each class: where it is from, what its files are called,
which label is ignored, its classes, the config of its training part, and the converter
that makes its folders of the download.
"""

import argparse
import sys
import textwrap
from typing import Any

from input_pipeline import datasets
from input_pipeline.prepare.converters import CONVERTERS
from jaxseg.command_line import command

_INTRODUCTION = """\
# Published data sets and their classes

`python scripts/datasets_page.py > docs/datasets.md` writes this page from the classes
(`input_pipeline/datasets/`). [data.md](data.md) says what all of them take, and how
others are read; [prepare.md](prepare.md), where the downloads are.

Of a config's part for validation only the folders are others. `metainfo=dict(classes=
[...])` picks or reorders classes; `label_map` joins them. Barcelona, ADE20K's full
release, AirSim's recordings and Daimler Urban Segmentation get their classes from what is
prepared: they are a `BaseSegDataset` with `metainfo=dict(classes=...)`.
"""

_WIDTH = 88

FAMILIES = {
    "Streets": (
        *("CityscapesDataset", "BDD100KDataset", "MapillaryDataset_v1"),
        *("MapillaryDataset_v2", "ApolloScapeDataset", "CamVidDataset"),
        *("KITTIDataset", "KITTIRoadDataset", "DarkZurichDataset"),
        *("NightDrivingDataset", "GTA5Dataset", "SYNTHIADataset"),
        *("VirtualKITTIDataset", "HSIDrive20Dataset", "CrackForestDataset"),
    ),
    "Scenes and objects": (
        *("ADE20KDataset", "PascalVOCDataset", "PascalContextDataset"),
        *("PascalContextDataset59", "COCOStuffDataset", "StanfordBackgroundDataset"),
        *("SIFTFlowDataset", "MSRCDataset", "MSRCDataset_v1", "Graz02Dataset"),
        *("LabelMeFacadeDataset", "NYUDataset"),
    ),
    "People": (
        *("LIPDataset", "MHPDataset_v1", "MHPDataset_v2", "CCPDataset"),
        *("PratheepanDataset", "FaceOccludedDataset"),
    ),
    "From the air": (
        *("LoveDADataset", "PotsdamDataset", "ISPRSDataset", "iSAIDDataset"),
        *("InriaAerialDataset", "LEVIRCDDataset"),
    ),
    "Medicine, biology, fields": (
        *("DRIVEDataset", "STAREDataset", "ChaseDB1Dataset", "HRFDataset"),
        *("REFUGEDataset", "SynapseDataset", "LiTSDataset", "DSB2018Dataset"),
        *("ISBIEMDataset", "CWFIDDataset"),
    ),
}


def _folders(img_path: str, seg_map_path: str) -> dict[str, Any]:
    return {"data_prefix": {"img_path": img_path, "seg_map_path": seg_map_path}}


_USUAL = _folders("images/train", "annotations/train")
_TRAINING = _folders("images/training", "annotations/training")
_TILES = _folders("img_dir/train", "ann_dir/train")

# Arguments of the part for training, where they are not the usual ones.
TRAIN = {
    **dict.fromkeys(
        (
            *("ADE20KDataset", "ChaseDB1Dataset", "DRIVEDataset", "HRFDataset"),
            *("REFUGEDataset", "STAREDataset"),
        ),
        _TRAINING,
    ),
    **dict.fromkeys(
        (
            *("ISPRSDataset", "LoveDADataset", "PotsdamDataset", "SynapseDataset"),
            "iSAIDDataset",
        ),
        _TILES,
    ),
    "BDD100KDataset": _folders("images/10k/train", "labels/sem_seg/masks/train"),
    "CityscapesDataset": _folders("leftImg8bit/train", "gtFine/train"),
    "COCOStuffDataset": _folders("images/train2017", "annotations/train2017"),
    "DarkZurichDataset": _folders(
        "rgb_anon/val/night/GOPR0356", "gt/val/night/GOPR0356"
    ),
    "FaceOccludedDataset": _folders("NatOcc_hand_sot/img", "NatOcc_hand_sot/mask"),
    "HSIDrive20Dataset": _TRAINING,
    "LEVIRCDDataset": {
        "data_prefix": {
            "img_path": "train/A",
            "img_path2": "train/B",
            "seg_map_path": "train/label",
        }
    },
    "LIPDataset": _folders("train_images", "train_segmentations"),
    "MapillaryDataset_v1": _folders("training/images", "training/v1.2/labels"),
    "MapillaryDataset_v2": _folders("training/images", "training/v2.0/labels"),
    "NightDrivingDataset": _folders(
        "leftImg8bit/test/night", "gtCoarse_daytime_trainvaltest/test/night"
    ),
    "NYUDataset": {
        "data_prefix": {
            "img_path": "images/train",
            "depth_map_path": "annotations/train",
        }
    },
    "PascalVOCDataset": _folders("JPEGImages", "SegmentationClass")
    | {"ann_file": "ImageSets/Segmentation/train.txt"},
    **dict.fromkeys(
        ("PascalContextDataset", "PascalContextDataset59"),
        _folders("JPEGImages", "SegmentationClassContext")
        | {"ann_file": "ImageSets/SegmentationContext/train.txt"},
    ),
}

# Where classes without a converter of their own are looked for.
HOMES = {
    "DarkZurichDataset": "data/dark_zurich",
    "NightDrivingDataset": "data/NighttimeDrivingTest",
    "PascalContextDataset59": "data/VOCdevkit/VOC2010",
}


def page() -> str:
    """All of docs/datasets.md."""
    parts = [_INTRODUCTION]
    for family, names in FAMILIES.items():
        parts.append(f"## {family}\n")
        parts += [_section(name) for name in names]
    return "\n".join(parts)


def train_arguments(name: str) -> dict[str, Any]:
    """Arguments of a class, but for data_root, by which it finds its part to train on."""
    return TRAIN.get(name, _USUAL)


def published() -> list[str]:
    """The names of the classes that know their own classes and folders."""
    return [
        name
        for name in datasets.__all__
        if issubclass(getattr(datasets, name), datasets.BaseSegDataset)
        and getattr(datasets, name).CLASSES
    ]


def _section(name: str) -> str:
    kind = getattr(datasets, name)
    # The classes of one file share the opening of the file.
    origin = sys.modules[kind.__module__].__doc__.partition("\n")[0].rstrip(".")
    path = kind.__module__.replace(".", "/")
    converters = sorted(c.name for c in CONVERTERS.values() if c.dataset == name)
    said = " ".join(kind.__doc__.split())
    lines = [
        f"### {name}",
        "",
        f"[{origin}](../{path}.py)",
        "",
        f"- folders: {said}",
        f"- files: images `*{_text(kind.img_suffix)}`, labels `*{kind.seg_map_suffix}`",
        f"- ignored: {_ignored(kind)}",
    ]
    lines += [
        f"- from the download: `python -m jaxseg.prepare {c}`" for c in converters
    ]
    lines += ["", "```python", *_config(name, converters), "```", ""]
    names = ", ".join(f"`{label}`" for label, _ in kind.CLASSES)
    text = f"{len(kind.CLASSES)} classes: {names}"
    lines += textwrap.wrap(text, _WIDTH, break_on_hyphens=False, break_long_words=False)
    return "\n".join(lines) + "\n"


def _text(suffix: str | tuple[str, ...]) -> str:
    return suffix if isinstance(suffix, str) else "`, `*".join(suffix)


def _ignored(kind: type) -> str:
    if kind.reduce_zero_label:
        return f"label 0; label 1 is class 0 (`reduce_zero_label`); {kind.ignore_index}"
    return f"label {kind.ignore_index}"


def _config(name: str, converters: list[str]) -> list[str]:
    homes = sorted({CONVERTERS[c].home for c in converters})
    home = HOMES.get(name) or min(homes, key=len)
    arguments = train_arguments(name)
    lines = ["dict(", f'    type="{name}",', f'    data_root="{home}",']
    for key, value in arguments.items():
        lines += _pair(key, value)
    return [*lines, ")"]


def _pair(key: str, value: Any) -> list[str]:
    """An argument in the lines that ruff, which formats the page, gives it."""
    if not isinstance(value, dict):
        return [f'    {key}="{value}",']
    inner = [f'{k}="{v}"' for k, v in value.items()]
    line = f"    {key}=dict({', '.join(inner)}),"
    if len(line) <= _WIDTH:
        return [line]
    if 8 + len(", ".join(inner)) <= _WIDTH:
        held = ["        " + ", ".join(inner)]
    else:
        held = [f"        {part}," for part in inner]
    return [f"    {key}=dict(", *held, "    ),"]


@command
def main(arguments: list[str]) -> int:
    """Prints the page; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args(arguments)
    print(page(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

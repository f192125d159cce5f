"""MSRC, objects and stuff, 21 classes of version 2, 9 of 1 (Shotton et al., ECCV 2006)."""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset

MSRC = (
    ("building", (128, 0, 0)),
    ("grass", (0, 128, 0)),
    ("tree", (128, 128, 0)),
    ("cow", (0, 0, 128)),
    ("sheep", (0, 128, 128)),
    ("sky", (128, 128, 128)),
    ("airplane", (192, 0, 0)),
    ("water", (64, 128, 0)),
    ("face", (192, 128, 0)),
    ("car", (64, 0, 128)),
    ("bicycle", (192, 0, 128)),
    ("flower", (64, 128, 128)),
    ("sign", (192, 128, 128)),
    ("bird", (0, 64, 0)),
    ("book", (128, 64, 0)),
    ("chair", (0, 192, 0)),
    ("road", (128, 64, 128)),
    ("cat", (0, 192, 128)),
    ("dog", (128, 192, 128)),
    ("body", (64, 64, 0)),
    ("boat", (192, 64, 0)),
)

# Version 1 is evaluated on these; it has few pixels of horse, sheep, mountain and water.
MSRC_V1 = tuple(
    entry
    for entry in MSRC
    if entry[0]
    in (
        *("building", "grass", "tree", "cow", "sky", "airplane", "face", "car"),
        "bicycle",
    )
)


@dataclasses.dataclass(eq=False)
class MSRCDataset(BaseSegDataset):
    """images/{train,val} and annotations/{train,val}; 255 is void, horse and mountain."""

    CLASSES: ClassVar[tuple] = MSRC

    img_suffix: str | tuple[str, ...] = ".bmp"
    seg_map_suffix: str = ".png"


@dataclasses.dataclass(eq=False)
class MSRCDataset_v1(BaseSegDataset):
    """images/{train,val} and annotations/{train,val}; 255 is void and the rare classes."""

    CLASSES: ClassVar[tuple] = MSRC_V1

    img_suffix: str | tuple[str, ...] = ".bmp"
    seg_map_suffix: str = ".png"

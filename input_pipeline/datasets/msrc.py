"""MSRC version 2, objects and stuff, 21 classes (Shotton et al., ECCV 2006)."""

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


@dataclasses.dataclass(eq=False)
class MSRCDataset(BaseSegDataset):
    """images/{train,val} and annotations/{train,val}; 255 is void, horse and mountain."""

    CLASSES: ClassVar[tuple] = MSRC

    img_suffix: str | tuple[str, ...] = ".bmp"
    seg_map_suffix: str = ".png"

"""ISPRS Vaihingen and Potsdam aerial images, 6 classes (https://www.isprs.org)."""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset

ISPRS = (
    ("impervious_surface", (255, 255, 255)),
    ("building", (0, 0, 255)),
    ("low_vegetation", (0, 255, 255)),
    ("tree", (0, 255, 0)),
    ("car", (255, 255, 0)),
    ("clutter", (255, 0, 0)),
)


@dataclasses.dataclass(eq=False)
class ISPRSDataset(BaseSegDataset):
    """Vaihingen: img_dir/{train,val}, ann_dir/ likewise, PNG tiles.

    Label 0 of the files is the boundary and ignored; label 1 is class 0.
    """

    CLASSES: ClassVar[tuple] = ISPRS

    img_suffix: str | tuple[str, ...] = ".png"
    seg_map_suffix: str = ".png"
    reduce_zero_label: bool = True


@dataclasses.dataclass(eq=False)
class PotsdamDataset(ISPRSDataset):
    """Potsdam: folders, classes and labels as of Vaihingen."""

"""Graz-02, bicycles, cars and people, 4 classes (Marszalek and Schmid, CVPR 2007)."""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset

GRAZ02 = (
    ("background", (0, 0, 0)),
    ("bike", (255, 0, 0)),
    ("car", (0, 255, 0)),
    ("person", (0, 0, 255)),
)


@dataclasses.dataclass(eq=False)
class Graz02Dataset(BaseSegDataset):
    """images/{train,val} and annotations/{train,val}; 255 is an object that something hides."""

    CLASSES: ClassVar[tuple] = GRAZ02

    img_suffix: str | tuple[str, ...] = ".png"
    seg_map_suffix: str = ".png"

"""Pratheepan, skin in photographs, 2 classes (Tan et al., IEEE TII 8, 2012)."""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset

PRATHEEPAN = (
    ("background", (0, 0, 0)),
    ("skin", (255, 255, 255)),
)


@dataclasses.dataclass(eq=False)
class PratheepanDataset(BaseSegDataset):
    """images/{train,val} and annotations/{train,val}; nothing is ignored."""

    CLASSES: ClassVar[tuple] = PRATHEEPAN

    img_suffix: str | tuple[str, ...] = ".jpg"
    seg_map_suffix: str = ".png"

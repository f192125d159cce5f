"""CWFID, carrots and weeds in a field, 3 classes (Haug and Ostermann, ECCV 2014)."""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset

CWFID = (
    ("soil", (0, 0, 0)),
    ("crop", (0, 255, 0)),
    ("weed", (255, 0, 0)),
)


@dataclasses.dataclass(eq=False)
class CWFIDDataset(BaseSegDataset):
    """images/{train,val} and annotations/{train,val}; nothing is ignored."""

    CLASSES: ClassVar[tuple] = CWFID

    img_suffix: str | tuple[str, ...] = ".png"
    seg_map_suffix: str = ".png"

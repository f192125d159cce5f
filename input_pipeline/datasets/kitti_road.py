"""KITTI road detection, 2 classes (Fritsch et al., ITSC 2013)."""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset

KITTI_ROAD = (
    ("background", (255, 0, 0)),
    ("road", (255, 0, 255)),
)


@dataclasses.dataclass(eq=False)
class KITTIRoadDataset(BaseSegDataset):
    """images/{train,val} and annotations/{train,val}; 255 is a road beside the one driven on."""

    CLASSES: ClassVar[tuple] = KITTI_ROAD

    img_suffix: str | tuple[str, ...] = ".png"
    seg_map_suffix: str = ".png"

"""Virtual KITTI 2, synthetic streets, 14 classes (Cabon et al., arXiv:2001.10773)."""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset

VIRTUAL_KITTI = (
    ("Terrain", (210, 0, 200)),
    ("Sky", (90, 200, 255)),
    ("Tree", (0, 199, 0)),
    ("Vegetation", (90, 240, 0)),
    ("Building", (140, 140, 140)),
    ("Road", (100, 60, 100)),
    ("GuardRail", (250, 100, 255)),
    ("TrafficSign", (255, 255, 0)),
    ("TrafficLight", (200, 200, 0)),
    ("Pole", (255, 130, 0)),
    ("Misc", (80, 80, 80)),
    ("Truck", (160, 60, 60)),
    ("Car", (255, 127, 80)),
    ("Van", (0, 139, 139)),
)


@dataclasses.dataclass(eq=False)
class VirtualKITTIDataset(BaseSegDataset):
    """images/{train,val}/SCENE/VARIANT/CAMERA and annotations/ likewise; 255 is undefined."""

    CLASSES: ClassVar[tuple] = VIRTUAL_KITTI

    img_suffix: str | tuple[str, ...] = ".jpg"
    seg_map_suffix: str = ".png"

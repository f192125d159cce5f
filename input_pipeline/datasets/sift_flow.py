"""SIFT Flow, outdoor scenes, 33 classes (Liu et al., TPAMI 33, 2011)."""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset
from input_pipeline.palette import distinct_palette

_NAMES = [
    "awning",
    "balcony",
    "bird",
    "boat",
    "bridge",
    "building",
    "bus",
    "car",
    "cow",
    "crosswalk",
    "desert",
    "door",
    "fence",
    "field",
    "grass",
    "moon",
    "mountain",
    "person",
    "plant",
    "pole",
    "river",
    "road",
    "rock",
    "sand",
    "sea",
    "sidewalk",
    "sign",
    "sky",
    "staircase",
    "streetlight",
    "sun",
    "tree",
    "window",
]
SIFT_FLOW = tuple(zip(_NAMES, distinct_palette(len(_NAMES)), strict=True))


@dataclasses.dataclass(eq=False)
class SIFTFlowDataset(BaseSegDataset):
    """images/{train,val} and annotations/{train,val}; 255 is unlabeled."""

    CLASSES: ClassVar[tuple] = SIFT_FLOW

    img_suffix: str | tuple[str, ...] = ".jpg"
    seg_map_suffix: str = ".png"

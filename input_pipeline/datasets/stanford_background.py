"""Stanford background, outdoor scenes, 8 classes (Gould et al., ICCV 2009)."""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset

STANFORD_BACKGROUND = (
    ("sky", (128, 128, 128)),
    ("tree", (128, 128, 0)),
    ("road", (128, 64, 128)),
    ("grass", (0, 128, 0)),
    ("water", (0, 0, 128)),
    ("building", (128, 0, 0)),
    ("mountain", (64, 0, 0)),
    ("foreground object", (255, 128, 0)),
)


@dataclasses.dataclass(eq=False)
class StanfordBackgroundDataset(BaseSegDataset):
    """images/{train,val} and annotations/{train,val}; 255 is unknown."""

    CLASSES: ClassVar[tuple] = STANFORD_BACKGROUND

    img_suffix: str | tuple[str, ...] = ".jpg"
    seg_map_suffix: str = ".png"

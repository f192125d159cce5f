"""CrackForest, cracks in roads, 2 classes (Shi et al., IEEE TITS 17, 2016)."""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset

CRACK_FOREST = (
    ("road", (0, 0, 0)),
    ("crack", (255, 255, 255)),
)


@dataclasses.dataclass(eq=False)
class CrackForestDataset(BaseSegDataset):
    """images/{train,val} and annotations/{train,val}; 255 is what is neither."""

    CLASSES: ClassVar[tuple] = CRACK_FOREST

    img_suffix: str | tuple[str, ...] = ".jpg"
    seg_map_suffix: str = ".png"

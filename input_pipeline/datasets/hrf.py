"""HRF retinal vessels (https://www5.cs.fau.de/research/data/fundus-images), 3504x2336."""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset

HRF = (
    ("background", (120, 120, 120)),
    ("vessel", (6, 230, 230)),
)


@dataclasses.dataclass(eq=False)
class HRFDataset(BaseSegDataset):
    """images/{training,validation}, annotations/ likewise, PNG labels 0 and 1."""

    CLASSES: ClassVar[tuple] = HRF

    img_suffix: str | tuple[str, ...] = ".png"
    seg_map_suffix: str = ".png"

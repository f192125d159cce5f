"""DRIVE retinal vessels (https://drive.grand-challenge.org), 565x584."""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset

DRIVE = (
    ("background", (120, 120, 120)),
    ("vessel", (6, 230, 230)),
)


@dataclasses.dataclass(eq=False)
class DRIVEDataset(BaseSegDataset):
    """images/{training,validation}, annotations/ likewise, PNG labels 0 and 1."""

    CLASSES: ClassVar[tuple] = DRIVE

    img_suffix: str | tuple[str, ...] = ".png"
    seg_map_suffix: str = "_manual1.png"

"""REFUGE retinal fundus images, optic disc and cup (https://refuge.grand-challenge.org)."""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset

REFUGE = (
    ("background", (120, 120, 120)),
    (" Optic Cup", (6, 230, 230)),
    ("Optic Disc", (56, 59, 120)),
)


@dataclasses.dataclass(eq=False)
class REFUGEDataset(BaseSegDataset):
    """images/{training,validation,test}, annotations/ likewise, labels 0 to 2."""

    CLASSES: ClassVar[tuple] = REFUGE

    img_suffix: str | tuple[str, ...] = ".png"
    seg_map_suffix: str = ".png"

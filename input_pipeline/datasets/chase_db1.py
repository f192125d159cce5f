"""CHASE_DB1 retinal vessels (https://blogs.kingston.ac.uk/retinal/chasedb1), 999x960."""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset

CHASE_DB1 = (
    ("background", (120, 120, 120)),
    ("vessel", (6, 230, 230)),
)


@dataclasses.dataclass(eq=False)
class ChaseDB1Dataset(BaseSegDataset):
    """images/{training,validation}, annotations/ likewise, PNG labels 0 and 1."""

    CLASSES: ClassVar[tuple] = CHASE_DB1

    img_suffix: str | tuple[str, ...] = ".png"
    seg_map_suffix: str = "_1stHO.png"

"""STARE retinal vessels (http://cecas.clemson.edu/~ahoover/stare), 700x605."""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset

STARE = (
    ("background", (120, 120, 120)),
    ("vessel", (6, 230, 230)),
)


@dataclasses.dataclass(eq=False)
class STAREDataset(BaseSegDataset):
    """images/{training,validation}, annotations/ likewise, PNG labels 0 and 1."""

    CLASSES: ClassVar[tuple] = STARE

    img_suffix: str | tuple[str, ...] = ".png"
    seg_map_suffix: str = ".ah.png"

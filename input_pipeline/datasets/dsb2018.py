"""Data Science Bowl 2018, nuclei of cells (Caicedo et al., Nature Methods 2019)."""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset

DSB2018 = (
    ("background", (0, 0, 0)),
    ("nucleus", (255, 255, 255)),
)


@dataclasses.dataclass(eq=False)
class DSB2018Dataset(BaseSegDataset):
    """images/{train,val} and annotations/{train,val}; nuclei are one class."""

    CLASSES: ClassVar[tuple] = DSB2018

    img_suffix: str | tuple[str, ...] = ".png"
    seg_map_suffix: str = ".png"

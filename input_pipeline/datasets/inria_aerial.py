"""Inria aerial images, buildings (https://project.inria.fr/aerialimagelabeling)."""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset

INRIA_AERIAL = (
    ("background", (0, 0, 0)),
    ("building", (255, 255, 255)),
)


@dataclasses.dataclass(eq=False)
class InriaAerialDataset(BaseSegDataset):
    """images/{train,val} and annotations/{train,val}, tiles."""

    CLASSES: ClassVar[tuple] = INRIA_AERIAL

    img_suffix: str | tuple[str, ...] = ".png"
    seg_map_suffix: str = ".png"

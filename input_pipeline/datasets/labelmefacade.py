"""LabelMeFacade, fronts of houses, 8 classes (https://github.com/cvjena/labelmefacade)."""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset

LABELMEFACADE = (
    ("building", (128, 0, 0)),
    ("car", (128, 0, 128)),
    ("door", (128, 128, 0)),
    ("pavement", (128, 128, 128)),
    ("road", (128, 64, 0)),
    ("sky", (0, 128, 128)),
    ("vegetation", (0, 128, 0)),
    ("window", (0, 0, 128)),
)


@dataclasses.dataclass(eq=False)
class LabelMeFacadeDataset(BaseSegDataset):
    """images/{train,val} and annotations/{train,val}; 255 is various."""

    CLASSES: ClassVar[tuple] = LABELMEFACADE

    img_suffix: str | tuple[str, ...] = ".jpg"
    seg_map_suffix: str = ".png"

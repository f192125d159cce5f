"""LoveDA land cover of Chinese cities, 7 classes (https://github.com/Junjue-Wang/LoveDA)."""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset

LOVEDA = (
    ("background", (255, 255, 255)),
    ("building", (255, 0, 0)),
    ("road", (255, 255, 0)),
    ("water", (0, 0, 255)),
    ("barren", (159, 129, 183)),
    ("forest", (0, 255, 0)),
    ("agricultural", (255, 195, 128)),
)


@dataclasses.dataclass(eq=False)
class LoveDADataset(BaseSegDataset):
    """img_dir/{train,val}, ann_dir/ likewise, PNG tiles of 1024x1024.

    Label 0 of the files is "no data" and ignored; label 1 is class 0.
    """

    CLASSES: ClassVar[tuple] = LOVEDA
    # The test server counts from 0, although the label files do from 1.
    SUBMITTED: ClassVar[tuple[int, ...]] = tuple(range(len(LOVEDA)))

    img_suffix: str | tuple[str, ...] = ".png"
    seg_map_suffix: str = ".png"
    reduce_zero_label: bool = True

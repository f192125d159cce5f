"""Synapse CT slices, 8 abdominal organs (https://www.synapse.org/Synapse:syn3193805)."""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset

SYNAPSE = (
    ("background", (0, 0, 0)),
    ("aorta", (0, 0, 255)),
    ("gallbladder", (0, 255, 0)),
    ("left_kidney", (255, 0, 0)),
    ("right_kidney", (0, 255, 255)),
    ("liver", (255, 0, 255)),
    ("pancreas", (255, 255, 0)),
    ("spleen", (60, 255, 255)),
    ("stomach", (240, 240, 240)),
)


@dataclasses.dataclass(eq=False)
class SynapseDataset(BaseSegDataset):
    """img_dir/{train,val} and ann_dir/{train,val}, slices as JPEG, labels 0 to 8."""

    CLASSES: ClassVar[tuple] = SYNAPSE

    img_suffix: str | tuple[str, ...] = ".jpg"
    seg_map_suffix: str = ".png"

"""HSI-Drive 2.0, streets in 25 bands, 11 classes (https://ipaccess.ehu.eus/HSI-Drive)."""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset

HSI_DRIVE = (
    ("unlabelled", (0, 0, 0)),
    ("road", (77, 77, 77)),
    ("road marks", (255, 255, 255)),
    ("vegetation", (0, 255, 0)),
    ("painted metal", (255, 0, 0)),
    ("sky", (0, 0, 255)),
    ("concrete", (102, 51, 0)),
    ("pedestrian", (255, 255, 0)),
    ("water", (0, 207, 250)),
    ("unpainted metal", (255, 166, 0)),
    ("glass", (0, 204, 204)),
)


@dataclasses.dataclass(eq=False)
class HSIDrive20Dataset(BaseSegDataset):
    """images/{training,validation,test} and annotations/ likewise, arrays of 25 bands.

    Class 0 is "unlabelled"; `label_map={0: 255}` ignores it, as mmseg's evaluation does.
    """

    CLASSES: ClassVar[tuple] = HSI_DRIVE

    img_suffix: str | tuple[str, ...] = ".npy"
    seg_map_suffix: str = ".png"

"""LiTS, livers and their tumours in CT slices, 3 classes (Bilic et al., arXiv:1901.04056)."""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset

LITS = (
    ("background", (0, 0, 0)),
    ("liver", (255, 0, 0)),
    ("tumour", (255, 255, 0)),
)


@dataclasses.dataclass(eq=False)
class LiTSDataset(BaseSegDataset):
    """images/{train,val} and annotations/{train,val}, slices; nothing is ignored."""

    CLASSES: ClassVar[tuple] = LITS

    img_suffix: str | tuple[str, ...] = ".jpg"
    seg_map_suffix: str = ".png"

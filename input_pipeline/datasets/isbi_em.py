"""ISBI 2012, membranes of neurons by an electron microscope, 2 classes.

Arganda-Carreras et al., Frontiers in Neuroanatomy 9, 2015.
"""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset

ISBI_EM = (
    ("membrane", (0, 0, 0)),
    ("cell", (255, 255, 255)),
)


@dataclasses.dataclass(eq=False)
class ISBIEMDataset(BaseSegDataset):
    """images/{train,val} and annotations/{train,val}; nothing is ignored."""

    CLASSES: ClassVar[tuple] = ISBI_EM

    img_suffix: str | tuple[str, ...] = ".png"
    seg_map_suffix: str = ".png"

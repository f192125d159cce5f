"""Faces that something occludes (https://github.com/kennyvoo/face-occlusion-generation)."""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset

FACE_OCCLUDED = (
    ("background", (0, 0, 0)),
    ("face", (128, 0, 0)),
)


@dataclasses.dataclass(eq=False)
class FaceOccludedDataset(BaseSegDataset):
    """Face and background; `ann_file` names the images of a part."""

    CLASSES: ClassVar[tuple] = FACE_OCCLUDED

    img_suffix: str | tuple[str, ...] = ".jpg"
    seg_map_suffix: str = ".png"

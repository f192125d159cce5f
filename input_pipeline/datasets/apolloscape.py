"""ApolloScape scene parsing, streets of China, 22 classes (Huang et al., CVPRW 2018)."""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset

APOLLOSCAPE = (
    ("sky", (70, 130, 180)),
    ("car", (0, 0, 142)),
    ("motorbicycle", (0, 0, 230)),
    ("bicycle", (119, 11, 32)),
    ("person", (0, 128, 192)),
    ("rider", (128, 64, 128)),
    ("truck", (128, 0, 192)),
    ("bus", (192, 0, 64)),
    ("tricycle", (128, 128, 192)),
    ("road", (192, 128, 192)),
    ("sidewalk", (192, 128, 64)),
    ("traffic_cone", (0, 0, 64)),
    ("road_pile", (0, 0, 192)),
    ("fence", (64, 64, 128)),
    ("traffic_light", (192, 64, 128)),
    ("pole", (192, 128, 128)),
    ("traffic_sign", (0, 64, 64)),
    ("wall", (192, 192, 128)),
    ("dustbin", (64, 0, 192)),
    ("billboard", (192, 0, 192)),
    ("building", (192, 0, 128)),
    ("vegetation", (128, 128, 64)),
)


@dataclasses.dataclass(eq=False)
class ApolloScapeDataset(BaseSegDataset):
    """images/{train,val}/ROAD/RECORD/CAMERA and annotations/ likewise; 255 is none of them."""

    CLASSES: ClassVar[tuple] = APOLLOSCAPE

    img_suffix: str | tuple[str, ...] = ".jpg"
    seg_map_suffix: str = ".png"

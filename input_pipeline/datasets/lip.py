"""LIP, Look into Person: parts of the human body, 20 classes (http://sysu-hcp.net/lip)."""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset

LIP = (
    ("Background", (0, 0, 0)),
    ("Hat", (128, 0, 0)),
    ("Hair", (255, 0, 0)),
    ("Glove", (0, 85, 0)),
    ("Sunglasses", (170, 0, 51)),
    ("UpperClothes", (255, 85, 0)),
    ("Dress", (0, 0, 85)),
    ("Coat", (0, 119, 221)),
    ("Socks", (85, 85, 0)),
    ("Pants", (0, 85, 85)),
    ("Jumpsuits", (85, 51, 0)),
    ("Scarf", (52, 86, 128)),
    ("Skirt", (0, 128, 0)),
    ("Face", (0, 0, 255)),
    ("Left-arm", (51, 170, 221)),
    ("Right-arm", (0, 255, 255)),
    ("Left-leg", (85, 255, 170)),
    ("Right-leg", (170, 255, 85)),
    ("Left-shoe", (255, 255, 0)),
    ("Right-shoe", (255, 170, 0)),
)


@dataclasses.dataclass(eq=False)
class LIPDataset(BaseSegDataset):
    """train_images and train_segmentations, val_images and val_segmentations."""

    CLASSES: ClassVar[tuple] = LIP

    img_suffix: str | tuple[str, ...] = ".jpg"
    seg_map_suffix: str = ".png"

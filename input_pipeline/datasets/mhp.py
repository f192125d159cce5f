"""MHP, parts of several people, 19 classes of version 1 (Li et al., arXiv:1705.07206).

Version 2 has 59 (Zhao et al., ACM MM 2018, arXiv:1804.03287).
"""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset
from input_pipeline.palette import distinct_palette

_V1 = [
    "background",
    "hat",
    "hair",
    "sunglasses",
    "upper clothes",
    "skirt",
    "pants",
    "dress",
    "belt",
    "left shoe",
    "right shoe",
    "face",
    "left leg",
    "right leg",
    "left arm",
    "right arm",
    "bag",
    "scarf",
    "torso skin",
]
_V2 = [
    "background",
    "cap/hat",
    "helmet",
    "face",
    "hair",
    "left-arm",
    "right-arm",
    "left-hand",
    "right-hand",
    "protector",
    "bikini/bra",
    "jacket/windbreaker/hoodie",
    "t-shirt",
    "polo-shirt",
    "sweater",
    "singlet",
    "torso-skin",
    "pants",
    "shorts/swim-shorts",
    "skirt",
    "stockings",
    "socks",
    "left-boot",
    "right-boot",
    "left-shoe",
    "right-shoe",
    "left-highheel",
    "right-highheel",
    "left-sandal",
    "right-sandal",
    "left-leg",
    "right-leg",
    "left-foot",
    "right-foot",
    "coat",
    "dress",
    "robe",
    "jumpsuits",
    "other-full-body-clothes",
    "headwear",
    "backpack",
    "ball",
    "bats",
    "belt",
    "bottle",
    "carrybag",
    "cases",
    "sunglasses",
    "eyewear",
    "gloves",
    "scarf",
    "umbrella",
    "wallet/purse",
    "watch",
    "wristband",
    "tie",
    "other-accessories",
    "other-upper-body-clothes",
    "other-lower-body-clothes",
]
MHP_V1 = tuple(zip(_V1, distinct_palette(len(_V1)), strict=True))
MHP_V2 = tuple(zip(_V2, distinct_palette(len(_V2)), strict=True))


@dataclasses.dataclass(eq=False)
class MHPDataset_v1(BaseSegDataset):
    """images/{train,val} and annotations/{train,val}; nothing is ignored."""

    CLASSES: ClassVar[tuple] = MHP_V1

    img_suffix: str | tuple[str, ...] = ".jpg"
    seg_map_suffix: str = ".png"


@dataclasses.dataclass(eq=False)
class MHPDataset_v2(BaseSegDataset):
    """images/{train,val} and annotations/{train,val}; nothing is ignored."""

    CLASSES: ClassVar[tuple] = MHP_V2

    img_suffix: str | tuple[str, ...] = ".jpg"
    seg_map_suffix: str = ".png"

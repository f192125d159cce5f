"""CCP, clothes in photographs, 59 classes (Yang et al., CVPR 2014)."""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset
from input_pipeline.palette import distinct_palette

_NAMES = [
    "null",
    "accessories",
    "bag",
    "belt",
    "blazer",
    "blouse",
    "bodysuit",
    "boots",
    "bra",
    "bracelet",
    "cape",
    "cardigan",
    "clogs",
    "coat",
    "dress",
    "earrings",
    "flats",
    "glasses",
    "gloves",
    "hair",
    "hat",
    "heels",
    "hoodie",
    "intimate",
    "jacket",
    "jeans",
    "jumper",
    "leggings",
    "loafers",
    "necklace",
    "panties",
    "pants",
    "pumps",
    "purse",
    "ring",
    "romper",
    "sandals",
    "scarf",
    "shirt",
    "shoes",
    "shorts",
    "skin",
    "skirt",
    "sneakers",
    "socks",
    "stockings",
    "suit",
    "sunglasses",
    "sweater",
    "sweatshirt",
    "swimwear",
    "t-shirt",
    "tie",
    "tights",
    "top",
    "vest",
    "wallet",
    "watch",
    "wedges",
]
CCP = tuple(zip(_NAMES, distinct_palette(len(_NAMES)), strict=True))


@dataclasses.dataclass(eq=False)
class CCPDataset(BaseSegDataset):
    """images/{train,val} and annotations/{train,val}; nothing is ignored."""

    CLASSES: ClassVar[tuple] = CCP

    img_suffix: str | tuple[str, ...] = ".jpg"
    seg_map_suffix: str = ".png"

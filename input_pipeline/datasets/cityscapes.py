"""Cityscapes street scenes, 19 evaluation classes (https://www.cityscapes-dataset.com)."""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset

CITYSCAPES = (
    ("road", (128, 64, 128)),
    ("sidewalk", (244, 35, 232)),
    ("building", (70, 70, 70)),
    ("wall", (102, 102, 156)),
    ("fence", (190, 153, 153)),
    ("pole", (153, 153, 153)),
    ("traffic light", (250, 170, 30)),
    ("traffic sign", (220, 220, 0)),
    ("vegetation", (107, 142, 35)),
    ("terrain", (152, 251, 152)),
    ("sky", (70, 130, 180)),
    ("person", (220, 20, 60)),
    ("rider", (255, 0, 0)),
    ("car", (0, 0, 142)),
    ("truck", (0, 0, 70)),
    ("bus", (0, 60, 100)),
    ("train", (0, 80, 100)),
    ("motorcycle", (0, 0, 230)),
    ("bicycle", (119, 11, 32)),
)


@dataclasses.dataclass(eq=False)
class CityscapesDataset(BaseSegDataset):
    """leftImg8bit/{train,val}/CITY and gtFine/{train,val}/CITY.

    The labels are the `labelTrainIds` files that cityscapesscripts makes; 255 is void.
    """

    CLASSES: ClassVar[tuple] = CITYSCAPES
    # The label ids of the classes (https://github.com/mcordts/cityscapesScripts).
    SUBMITTED: ClassVar[tuple[int, ...]] = (
        *(7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23),
        *(24, 25, 26, 27, 28, 31, 32, 33),
    )

    img_suffix: str | tuple[str, ...] = "_leftImg8bit.png"
    seg_map_suffix: str = "_gtFine_labelTrainIds.png"

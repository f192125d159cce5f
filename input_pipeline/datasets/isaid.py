"""iSAID objects in aerial images, 15 classes (https://captain-whu.github.io/iSAID)."""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset

ISAID = (
    ("background", (0, 0, 0)),
    ("ship", (0, 0, 63)),
    ("store_tank", (0, 63, 63)),
    ("baseball_diamond", (0, 63, 0)),
    ("tennis_court", (0, 63, 127)),
    ("basketball_court", (0, 63, 191)),
    ("Ground_Track_Field", (0, 63, 255)),
    ("Bridge", (0, 127, 63)),
    ("Large_Vehicle", (0, 127, 127)),
    ("Small_Vehicle", (0, 0, 127)),
    ("Helicopter", (0, 0, 191)),
    ("Swimming_pool", (0, 0, 255)),
    ("Roundabout", (0, 191, 127)),
    ("Soccer_ball_field", (0, 127, 191)),
    ("plane", (0, 127, 255)),
    ("Harbor", (0, 100, 155)),
)


@dataclasses.dataclass(eq=False)
class iSAIDDataset(BaseSegDataset):
    """img_dir/{train,val}, ann_dir/ likewise, tiles of 896x896, labels 0 to 15."""

    CLASSES: ClassVar[tuple] = ISAID
    SUBMITTED_SUFFIX: ClassVar[str] = "_instance_color_RGB.png"

    img_suffix: str | tuple[str, ...] = ".png"
    seg_map_suffix: str = "_instance_color_RGB.png"

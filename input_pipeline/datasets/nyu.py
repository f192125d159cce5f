"""NYU depth V2, indoor scenes (https://cs.nyu.edu/~fergus/datasets/nyu_depth_v2.html)."""

import dataclasses
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset
from input_pipeline.palette import distinct_palette

_ROOMS = (
    "printer_room",
    "bathroom",
    "living_room",
    "study",
    "conference_room",
    "study_room",
    "kitchen",
    "home_office",
    "bedroom",
    "dinette",
    "playroom",
    "indoor_balcony",
    "laundry_room",
    "basement",
    "excercise_room",
    "foyer",
    "home_storage",
    "cafe",
    "furniture_store",
    "office_kitchen",
    "student_lounge",
    "dining_room",
    "reception_room",
    "computer_lab",
    "classroom",
    "office",
    "bookstore",
)
NYU = tuple(zip(_ROOMS, distinct_palette(len(_ROOMS)), strict=True))


@dataclasses.dataclass(eq=False)
class NYUDataset(BaseSegDataset):
    """Images and maps of depths, PNG of 16 bits; the classes are kinds of rooms.

    Attributes:
        data_prefix: `img_path` and `depth_map_path`, the two folders.
        The others are BaseSegDataset's; `seg_map_suffix` is that of the depths.
    """

    CLASSES: ClassVar[tuple] = NYU
    PREFIXES: ClassVar[tuple[str, ...]] = ("img_path", "depth_map_path")
    LABEL_PATH: ClassVar[str] = "depth_map_path"

    data_prefix: dict = dataclasses.field(
        default_factory=lambda: {"img_path": "images", "depth_map_path": "annotations"}
    )

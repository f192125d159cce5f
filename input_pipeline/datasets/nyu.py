"""NYU Depth V2, depths of rooms of 27 kinds (Silberman et al., ECCV 2012)."""

import dataclasses
import os
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset
from input_pipeline.errors import DataError
from input_pipeline.palette import distinct_palette
from input_pipeline.sources import some_of

_ROOMS = [
    *("printer_room", "bathroom", "living_room", "study", "conference_room"),
    *("study_room", "kitchen", "home_office", "bedroom", "dinette", "playroom"),
    *("indoor_balcony", "laundry_room", "basement", "excercise_room", "foyer"),
    *("home_storage", "cafe", "furniture_store", "office_kitchen", "student_lounge"),
    *("dining_room", "reception_room", "computer_lab", "classroom", "office"),
    "bookstore",
]
NYU = tuple(zip(_ROOMS, distinct_palette(len(_ROOMS)), strict=True))


@dataclasses.dataclass(eq=False)
class NYUDataset(BaseSegDataset):
    """images/{train,test} and annotations/{train,test}, PNG of 16 bits, millimetres.

    Its maps are of depth (`LoadDepthAnnotation`), not of classes. The classes are kinds
    of rooms, in the files' names.

    Attributes:
        data_prefix: `img_path` and `depth_map_path`, the two folders.
        depth_map_suffix: what stands instead of `img_suffix` in the depth map's name.
        The others are BaseSegDataset's.
    """

    CLASSES: ClassVar[tuple] = NYU
    PREFIXES: ClassVar[tuple[str, ...]] = ("img_path", "depth_map_path")

    data_prefix: dict = dataclasses.field(
        default_factory=lambda: {"img_path": "images", "depth_map_path": "annotations"}
    )
    img_suffix: str | tuple[str, ...] = ".jpg"
    depth_map_suffix: str = ".png"

    def __post_init__(self):
        super().__post_init__()
        folder, found = self._open_folder("depth_map_path")
        stems = self.stems()
        missing = sorted({stem + self.depth_map_suffix for stem in stems} - set(found))
        if missing:
            raise DataError(
                f"{type(self).__name__}: {len(missing)} of {len(stems)} images have no "
                f"depth map in {folder}:\n{some_of(missing)}"
            )
        self._depths = [os.path.join(folder, s + self.depth_map_suffix) for s in stems]
        self._rooms = [self._room(os.path.basename(stem)) for stem in stems]

    def __getitem__(self, index: int) -> dict:
        return super().__getitem__(index) | {
            "depth_map_path": self._depths[index],
            "category_id": self._rooms[index],
        }

    def _room(self, name: str) -> int:
        """The class of 'dining_room_0001_rgb_00000'; -1 for none."""
        room = name[: next((i for i, c in enumerate(name) if c.isdigit()), 0)]
        classes = self.metainfo["classes"]
        return classes.index(room[:-1]) if room[:-1] in classes else -1

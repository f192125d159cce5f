"""Change detection: pairs of images, and where they differ."""

import dataclasses
import os
from typing import ClassVar

from input_pipeline.datasets.folder import BaseSegDataset
from input_pipeline.errors import DataError
from input_pipeline.sources import some_of


@dataclasses.dataclass(eq=False)
class BaseCDDataset(BaseSegDataset):
    """Two images of each place, in two folders under one name, and labels.

    Attributes:
        data_prefix: `img_path`, `img_path2` and `seg_map_path`, the three folders.
        img_suffix2: what stands instead of `img_suffix` in the second image's name.
        The others are BaseSegDataset's.
    """

    PREFIXES: ClassVar[tuple[str, ...]] = ("img_path", "img_path2", "seg_map_path")

    data_prefix: dict = dataclasses.field(
        default_factory=lambda: {"img_path": "", "img_path2": "", "seg_map_path": ""}
    )
    img_suffix2: str = ".jpg"

    def __post_init__(self):
        super().__post_init__()
        first, _ = self._open_folder("img_path")
        second, found = self._open_folder("img_path2")
        names = [os.path.relpath(image, first) for image, _ in self._pairs]
        wanted = [n.removesuffix(self._suffix(n)) + self.img_suffix2 for n in names]
        missing = sorted(set(wanted).difference(found))
        if missing:
            raise DataError(
                f"{type(self).__name__}: {len(missing)} of {len(names)} images in "
                f"{first} have no second image in {second}:\n{some_of(missing)}"
            )
        self._seconds = [os.path.join(second, name) for name in wanted]

    def __getitem__(self, index: int) -> dict:
        return super().__getitem__(index) | {"img_path2": self._seconds[index]}


@dataclasses.dataclass(eq=False)
class LEVIRCDDataset(BaseCDDataset):
    """LEVIR-CD (https://justchenhao.github.io/LEVIR), buildings that come and go.

    A and B, the images of both years, and label, PNG of 0 and 1.
    """

    CLASSES: ClassVar[tuple] = (
        ("background", (0, 0, 0)),
        ("changed", (255, 255, 255)),
    )

    img_suffix: str | tuple[str, ...] = ".png"
    img_suffix2: str = ".png"

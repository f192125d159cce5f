"""Encoded pictures: what data sets have in common that hold the bytes of files."""

import dataclasses

from input_pipeline.class_list import resolve_labels
from input_pipeline.decode import decode_image, decode_label
from input_pipeline.errors import DataError
from input_pipeline.scan import reading
from input_pipeline.sources import SegDataset
from input_pipeline.transforms.transform import Transform


@dataclasses.dataclass(eq=False)
class EncodedDataset(SegDataset):
    """Base of data sets whose samples are an image and a label, each as a file's bytes.

    A subclass opens its source in `_open`, and gives `__len__` and `_encoded`.

    Attributes:
        metainfo, reduce_zero_label, ignore_index, label_map, pipeline: as of
            BaseSegDataset; label_map of numbers and colours.
    """

    metainfo: dict = dataclasses.field(default_factory=dict)
    reduce_zero_label: bool = False
    ignore_index: int = 255
    label_map: dict | None = None
    pipeline: tuple[Transform, ...] = ()

    def __post_init__(self):
        self.metainfo, self.label_map, self.file_palette, _ = resolve_labels(
            type(self).__name__,
            (),
            self.metainfo,
            self.ignore_index,
            self.label_map,
            self.reduce_zero_label,
            "",
        )
        self._open()
        if not len(self):
            raise DataError(f"{type(self).__name__}: there is no sample in it.")

    def _open(self):
        raise NotImplementedError

    def _encoded(self, index: int) -> tuple[str, bytes, bytes]:
        """The name of a sample, and the bytes of its image and of its label."""
        raise NotImplementedError

    def __getitem__(self, index: int) -> dict:
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of a data set of {len(self)}")
        name, image, label = self._encoded(index)
        how = reading(self)
        limit = {k: v for k, v in how.items() if k == "max_pixels"}
        return {
            "img": decode_image(image, name, **how),
            "gt_seg_map": decode_label(label, f"{name} (label)", **limit),
            "img_path": name,
        } | self.facts()

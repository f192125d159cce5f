"""Packed data set, as scripts/pack_dataset.py writes it."""

import dataclasses
import pathlib

from input_pipeline.errors import DataError
from input_pipeline.packing.index import FILE_NAME, Index
from input_pipeline.packing.storage import open_shards
from input_pipeline.sources import SegDataset
from input_pipeline.transforms import LoadImageFromFile
from input_pipeline.transforms.transform import Transform


@dataclasses.dataclass(eq=False)
class PackedDataset(SegDataset):
    """Images and labels that were decoded once, in place of the data set they are of.

    It gives the same samples in the same order: its pipeline is the data set's, and
    LoadImageFromFile and LoadAnnotations find pixels instead of paths. The classes,
    the ignored label and the mapping of labels are those of the time of packing.

    Attributes:
        path: folder with `index.json`.
        pipeline: transforms of a sample.

    Raises:
        DataError: no such folder, another version, a data file that is missing or
            truncated, or a pipeline that loads images in another `color_type`.
    """

    path: str
    pipeline: tuple[Transform, ...] = ()

    def __post_init__(self):
        self._index = Index.read(pathlib.Path(self.path) / FILE_NAME)
        self._reader = open_shards(pathlib.Path(self.path), self._index)
        header, facts = self._index.header, self._index.part.facts[0]
        for transform in self.pipeline:
            if not isinstance(transform, LoadImageFromFile):
                continue
            if transform.color_type != header.color_type:
                raise DataError(
                    f"{self.path} was packed with color_type={header.color_type!r}, "
                    f"but LoadImageFromFile has {transform.color_type!r}; pack it again, "
                    "or load as it was packed."
                )
        self.metainfo = header.metainfo
        self.file_palette = facts["palette"]
        self.reduce_zero_label = facts["reduce_zero_label"]
        self.label_map = facts["label_map"]
        self.ignore_index = facts["ignore_index"]

    def __len__(self) -> int:
        return len(self._index.part.samples)

    def __getitem__(self, index: int) -> dict:
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of a data set of {len(self)}")
        part = self._index.part
        record = part.records[part.samples[index]]
        arrays = dict(zip(("img", "gt_seg_map"), self._reader.read(record)))
        names = {"img_path": record.name}
        if len(record.sources) > 1:
            names["seg_map_path"] = record.sources[1].path
        return arrays | names | part.facts[record.facts]

    def known_sizes(self) -> dict[str, tuple[int, int]]:
        records = self._index.part.records
        return {record.name: record.img.shape[:2] for record in records}

    def __getstate__(self) -> dict:
        # The open files do not travel to a worker process; it opens its own.
        return {k: v for k, v in vars(self).items() if k != "_reader"}

    def __setstate__(self, state: dict):
        vars(self).update(state)
        self._reader = open_shards(pathlib.Path(self.path), self._index)

"""Data set wrappers: one data set after the other, or one several times."""

import bisect
import dataclasses
import itertools

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.sources import SegDataset


@dataclasses.dataclass(eq=False)
class ConcatDataset(SegDataset):
    """The samples of `datasets`, one data set after the other.

    Each sample runs through the pipeline of the data set it comes from; `pipeline` is
    the first one's, and so are the other facts.

    Raises:
        DataError: no data sets, or not the same classes, palette or ignore_index.
    """

    datasets: tuple[SegDataset, ...]

    def __post_init__(self):
        if not self.datasets:
            raise DataError("ConcatDataset: 'datasets' is empty; it needs one or more.")
        first = self.datasets[0]
        for place, other in enumerate(self.datasets[1:], start=1):
            for key in ("metainfo", "ignore_index"):
                mine, theirs = getattr(first, key), getattr(other, key)
                if mine != theirs:
                    raise DataError(
                        f"ConcatDataset: datasets.{place} has {key}={theirs}, but "
                        f"datasets.0 has {mine}; they must be equal."
                    )
        self.metainfo, self.pipeline = first.metainfo, first.pipeline
        self.ignore_index = first.ignore_index
        self.reduce_zero_label = first.reduce_zero_label
        self.label_map, self.file_palette = first.label_map, first.file_palette
        self._ends = list(itertools.accumulate(len(part) for part in self.datasets))

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> dict:
        part, index = self._locate(index)
        return part[index]

    def sample(self, index: int, rng: np.random.Generator) -> dict:
        part, index = self._locate(index)
        return part.sample(index, rng)

    def files(self) -> list[tuple[str, str | None]]:
        return [pair for part in self.datasets for pair in part.files()]

    def parts(self) -> list[SegDataset]:
        return [inner for part in self.datasets for inner in part.parts()]

    def _locate(self, index: int) -> tuple[SegDataset, int]:
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of a data set of {len(self)}")
        place = bisect.bisect_right(self._ends, index)
        return self.datasets[place], index - (self._ends[place - 1] if place else 0)


@dataclasses.dataclass(eq=False)
class RepeatDataset(SegDataset):
    """`times` passes over `dataset` as one data set.

    Training repeats a data set anyhow; this lets a small one fill a batch, and lets
    MMSegmentation's configs be read.

    Raises:
        DataError: `times` below 1.
    """

    dataset: SegDataset
    times: int

    def __post_init__(self):
        if self.times < 1:
            raise DataError(f"RepeatDataset: times={self.times}; it must be 1 or more.")
        part = self.dataset
        self.metainfo, self.pipeline = part.metainfo, part.pipeline
        self.ignore_index = part.ignore_index
        self.reduce_zero_label = part.reduce_zero_label
        self.label_map, self.file_palette = part.label_map, part.file_palette

    def __len__(self) -> int:
        return len(self.dataset) * self.times

    def __getitem__(self, index: int) -> dict:
        return self.dataset[self._inner(index)]

    def sample(self, index: int, rng: np.random.Generator) -> dict:
        return self.dataset.sample(self._inner(index), rng)

    def files(self) -> list[tuple[str, str | None]]:
        return self.dataset.files()

    def parts(self) -> list[SegDataset]:
        return self.dataset.parts()

    def _inner(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of a data set of {len(self)}")
        return index % len(self.dataset)

"""Data set wrappers: several in a row, one several times, one with mixed samples."""

import bisect
import dataclasses
import itertools

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.sources import SegDataset
from input_pipeline.transforms.resized_crop import join_resize_and_crop
from input_pipeline.transforms.transform import Transform


@dataclasses.dataclass(eq=False)
class ConcatDataset(SegDataset):
    """The samples of `datasets`, one data set after the other.

    Each sample runs through the pipeline of the data set it comes from; `pipeline` is
    the first one's, and so are the other facts.

    Attributes:
        datasets: what is joined.
        separate_eval: whether an evaluation scores each of them by itself, too.

    Raises:
        DataError: no data sets, or not the same classes, palette or ignore_index.
    """

    datasets: tuple[SegDataset, ...]
    separate_eval: bool = False

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


@dataclasses.dataclass(eq=False)
class MultiImageMixDataset(SegDataset):
    """The samples of `dataset`, each mixed with others of them, as by RandomMosaic.

    Its own pipeline goes on where that of `dataset` ends, which makes the others, too.

    Attributes:
        dataset: what is mixed.
        pipeline: the transforms behind those of `dataset`. Whoever asks the data set
            afterwards finds both in one.
        skip_type_keys: names of transforms of `pipeline` that are left out.
    """

    dataset: SegDataset
    pipeline: tuple[Transform, ...]
    skip_type_keys: tuple[str, ...] = ()

    def __post_init__(self):
        part, skipped = self.dataset, self.skip_type_keys
        self._mixing = [t for t in self.pipeline if type(t).__name__ not in skipped]
        self.pipeline = (*part.pipeline, *self._mixing)
        self.metainfo, self.ignore_index = part.metainfo, part.ignore_index
        self.reduce_zero_label = part.reduce_zero_label
        self.label_map, self.file_palette = part.label_map, part.file_palette

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict:
        return self.dataset[index]

    def sample(self, index: int, rng: np.random.Generator) -> dict:
        results = self.dataset.sample(index, rng)
        with self.naming(index, results):
            for transform in join_resize_and_crop(self._mixing):
                draw = getattr(transform, "get_indices", None)  # a function has none
                others = draw(len(self), rng) if draw else ()
                if others:
                    mixed = [self.dataset.sample(other, rng) for other in others]
                    results = results | {"mix_results": mixed}
                results = transform(results, rng)
                results.pop("mix_results", None)
        return results

    def files(self) -> list[tuple[str, str | None]]:
        return self.dataset.files()

    def known_sizes(self) -> dict[str, tuple[int, int]]:
        return self.dataset.known_sizes()

    def parts(self) -> list[SegDataset]:
        inner = self.dataset.parts()
        if inner == [self.dataset]:
            return [self]
        return [MultiImageMixDataset(part, tuple(self._mixing)) for part in inner]

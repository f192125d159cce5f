"""CutMix, ClassMix and copy-paste: parts of another sample, pasted where they were."""

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.transforms.mixed_records import mixed_records
from input_pipeline.transforms.targets import targets_of
from input_pipeline.transforms.transform import Transform


@dataclasses.dataclass(frozen=True)
class _Pasting(Transform):
    """Base of what pastes pixels of other samples at their own place.

    Samples of two sizes lie upon each other with their upper left corners; what of the
    other one sticks out is cut off.
    """

    prob: float

    changes_size: ClassVar[bool] = False

    def __post_init__(self):
        if not 0 <= self.prob <= 1:
            raise DataError(
                f"{type(self).__name__}.prob is {self.prob}; it must be in [0, 1]."
            )

    @property
    def _count(self) -> int:
        """How many others are pasted, one upon the other."""
        return 1

    def get_indices(self, count: int, rng: np.random.Generator) -> tuple[int, ...]:
        """Draws the others, each of all samples."""
        return tuple(int(rng.integers(0, count)) for _ in range(self._count))

    def mask(self, other: Mapping[str, Any], rng: np.random.Generator) -> np.ndarray:
        """(h, w) bool: which pixels of the other sample are pasted."""
        raise NotImplementedError

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        records = mixed_records(results, self._count, type(self).__name__)
        if rng.random() >= self.prob:
            return results
        changed = {"img": results["img"], **targets_of(results)}
        changed = {key: array.copy() for key, array in changed.items()}
        for other in records[1:]:
            mask = self.mask(other, rng)
            common = tuple(map(min, mask.shape, results["img"].shape))
            within = tuple(slice(side) for side in common)
            for key, array in changed.items():
                array[within][mask[within]] = other[key][within][mask[within]]
        return results | changed


@dataclasses.dataclass(frozen=True)
class CutMix(_Pasting):
    """Pastes a rectangle of another sample, Yun et al., ICCV 2019, arXiv:1905.04899.

    The rectangle has the ratio of the other image and 1 - L of its area, where L is
    drawn from Beta(alpha, alpha); its centre is any pixel, and what lies outside is cut
    off. It takes the targets of the other sample along, as French et al., BMVC 2020
    (arXiv:1906.01916) do for segmentation.

    Attributes:
        prob: probability of a rectangle.
        alpha: shape of the distribution: 1 draws every area alike, more of it areas
            near a half.

    Raises:
        DataError: fields that do not fit; a record without the other sample, or with
            one of other targets or channels.
    """

    alpha: float = 1.0

    def __post_init__(self):
        super().__post_init__()
        if not self.alpha > 0:
            raise DataError(f"CutMix.alpha is {self.alpha}; it must be above 0.")

    def mask(self, other: Mapping[str, Any], rng: np.random.Generator) -> np.ndarray:
        height, width = other["img"].shape[:2]
        part = np.sqrt(1 - rng.beta(self.alpha, self.alpha))
        rows = _span(int(rng.integers(0, height)), int(height * part))
        columns = _span(int(rng.integers(0, width)), int(width * part))
        mask = np.zeros((height, width), bool)
        mask[rows, columns] = True
        return mask


@dataclasses.dataclass(frozen=True)
class ClassMix(_Pasting):
    """Pastes half of the classes of another sample, Olsson et al., WACV 2021.

    https://arxiv.org/abs/2007.07936. Of the n classes in the other's `gt_seg_map`,
    ignored pixels aside, (n + 1) // 2 are drawn, and all their pixels are pasted.

    Attributes:
        prob: probability of a pasting.

    Raises:
        DataError: as CutMix; or a sample without a `gt_seg_map`.
    """

    def mask(self, other: Mapping[str, Any], rng: np.random.Generator) -> np.ndarray:
        labels = _labels(other, self)
        classes = np.unique(labels)
        classes = classes[classes != other["ignore_index"]]
        drawn = rng.choice(classes, (len(classes) + 1) // 2, replace=False)
        return np.isin(labels, drawn)


@dataclasses.dataclass(frozen=True)
class CopyPaste(_Pasting):
    """Pastes the pixels of rare classes from other samples.

    After Ghiasi et al., CVPR 2021, arXiv:2012.07177, with classes in place of objects:
    resizing, crop and flip of the inner pipeline are the jitter of both sides.

    Attributes:
        prob: probability of a pasting.
        classes: names of what is pasted.
        num_others: how many samples are drawn. More of them hold a rare class more
            often, and each is read and augmented as a sample of the batch is.

    Raises:
        DataError: as ClassMix; or a name that is no class of the data set.
    """

    classes: tuple[str, ...]
    num_others: int = 1

    def __post_init__(self):
        super().__post_init__()
        if isinstance(self.classes, str) or not self.classes:
            raise DataError(
                f"CopyPaste.classes is {self.classes!r}; it must be a list of one or "
                "more names of classes."
            )
        if self.num_others < 1:
            raise DataError(
                f"CopyPaste.num_others is {self.num_others}; it must be 1 or more."
            )

    @property
    def _count(self) -> int:
        return self.num_others

    def mask(self, other: Mapping[str, Any], rng: np.random.Generator) -> np.ndarray:
        known = list(other["classes"])
        for name in self.classes:
            if name not in known:
                near = difflib.get_close_matches(str(name), known, n=1)
                hint = f"; the nearest is {near[0]!r}" if near else ""
                raise DataError(
                    f"CopyPaste.classes has {name!r}, which is no class of the data "
                    f"set{hint}. It has {', '.join(known)}."
                )
        ids = [known.index(name) for name in self.classes]
        return np.isin(_labels(other, self), ids)


def _labels(record: Mapping[str, Any], transform: Transform) -> np.ndarray:
    if "gt_seg_map" not in record:
        raise DataError(
            f"{record.get('img_path')}: {type(transform).__name__} needs a gt_seg_map; "
            "put LoadAnnotations into the pipeline of the inner data set."
        )
    return record["gt_seg_map"]


def _span(center: int, length: int) -> slice:
    """`length` pixels around `center`; what lies below 0 is cut off."""
    start = center - length // 2
    return slice(max(start, 0), max(start + length, 0))

"""Metric: the role of an entry of `val_evaluator` and `test_evaluator`."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import jax
import numpy as np


class Scores(NamedTuple):
    """Scores, rounded; NaN where they are not defined.

    Attributes:
        summary: By name: 'aAcc', and the means over the classes, 'mIoU', 'mAcc', ...
        per_class: By name without the m: 'IoU', 'Acc', ..., float64 (C,).
    """

    summary: dict[str, float]
    per_class: dict[str, np.ndarray]


def mean_over_classes(values: np.ndarray) -> float:
    """The mean over the numbers that are no NaN; NaN when there are none."""
    numbers = values[~np.isnan(values)]
    return numbers.mean() if len(numbers) else np.nan


@dataclasses.dataclass(frozen=True)
class Counts:
    """What a metric has counted over all images of all hosts.

    Attributes:
        total: int64, the sum of what `update` added; None of a metric that does not
            count on the device.
        images: the `img_path` of each image, in the order of the data set.
        rows: (images, K) float64, what `of_image` gave; None of a metric that does not
            look at single images.
        parts: the same of each data set that is scored by itself, too.
    """

    total: np.ndarray | None
    images: tuple[str, ...] = ()
    rows: np.ndarray | None = None
    parts: tuple["Counts", ...] = ()


def join_counts(parts: Sequence[Counts]) -> Counts:
    """The counts over several data sets."""
    first = parts[0]
    return Counts(
        None if first.total is None else sum(part.total for part in parts),
        tuple(image for part in parts for image in part.images),
        None if first.rows is None else np.concatenate([part.rows for part in parts]),
        tuple(parts),
    )


class Metric:
    """A metric counts while the images go by, and makes scores of the counts.

    A subclass is a frozen dataclass whose fields are the keys of its config. It counts
    in one of two places, or in both. On the device, inside the program that predicts:
    `empty` says what is summed and `update` adds a batch; this costs no transfer. On
    the host, image by image: `sees_images` is True, and `of_image` gets each label map
    at its original size. `compute` makes the scores of both.

    Attributes:
        needs_confidence: whether `update` wants the probability of each class that is
            predicted.
        sees_images: whether `of_image` is called.
        target_key: what predictions are compared with: classes, or what else a segmentor
            predicts (`Segmentor.predicted_key`).
        ignore_index: the label that counts nowhere; None takes the data set's.
    """

    target_key: ClassVar[str] = "gt_seg_map"
    needs_confidence: ClassVar[bool] = False
    sees_images: bool = False
    ignore_index: int | None = None

    def score_names(self) -> tuple[str, ...]:
        """The names in the summary of its scores."""
        raise NotImplementedError

    def empty(self, num_classes: int) -> np.ndarray | None:
        """The total of no images: uint32 (2, ...) zeros, the low and the high half.

        They are on the host: zeros made by JAX would be another program to compile.
        None where nothing is counted on the device.
        """
        return None

    def update(
        self,
        total: jax.Array,
        preds: jax.Array,
        labels: jax.Array,
        is_sample: jax.Array,
        ignore_index: int,
        confidence: jax.Array | None = None,
    ) -> jax.Array:
        """Adds a batch to a total, under jit.

        Args:
            total: uint32 (2, ...), as `empty` made it.
            preds: predicted classes, integers (N, H, W).
            labels: true classes, integers (N, H, W).
            is_sample: (N,) bool: whether an image counts, or fills up the batch.
            ignore_index: the label that counts nowhere.
            confidence: (N, H, W) float32, the probability of what is predicted; with
                `needs_confidence` alone.

        Returns:
            The new total.
        """
        raise NotImplementedError

    def of_image(
        self, pred: np.ndarray, sample: Mapping[str, Any], classes: Sequence[str]
    ) -> np.ndarray:
        """What is counted of one image, on the host.

        Args:
            pred: predicted classes (H, W), at the original size, or what else the
                segmentor predicts.
            sample: the sample, with its `target_key` (H, W), `img_path`,
                `ignore_index`.
            classes: names of the classes.

        Returns:
            (K,) float64, K the same for all images.
        """
        raise NotImplementedError

    def compute(self, counts: Counts, classes: Sequence[str]) -> Scores:
        """The scores of what was counted.

        Args:
            counts: of all images.
            classes: names of the classes.
        """
        raise NotImplementedError

    def write(self, counts: Counts, classes: Sequence[str], folder: Path) -> None:
        """Writes tables and pictures beside the scores; by default none.

        Args:
            counts: of all images.
            classes: names of the classes.
            folder: exists.
        """

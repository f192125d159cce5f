"""Masks: the pixels of each class in a label and in its prediction."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np


def class_masks(
    pred: np.ndarray, sample: Mapping[str, Any], num_classes: int
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """The masks of each class that the label or the prediction has.

    Args:
        pred, sample: as of `Metric.of_image`.
        num_classes: the number of classes.

    Yields:
        The number of the class, and (H, W) bool of the label and of the prediction;
        pixels that are ignored belong to neither.
    """
    label = np.asarray(sample["gt_seg_map"])
    counts = label != sample["ignore_index"]
    for number in np.union1d(label[counts], pred[counts]):
        if 0 <= number < num_classes:
            yield int(number), (label == number) & counts, (pred == number) & counts

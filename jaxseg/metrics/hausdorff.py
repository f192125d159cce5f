"""Hausdorff distance 95: how far the contours of a class are from each other."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxseg.errors import FieldError
from jaxseg.metrics.masks import class_masks
from jaxseg.metrics.metric import Counts, Metric, Scores, mean_over_classes


@dataclasses.dataclass(frozen=True)
class HausdorffMetric(Metric):
    """The 95th percentile of the distances between contours, mean over the images.

    Of each pixel of either contour the distance to the nearest pixel of the other one,
    all of them together, as medpy's `hd95`. An image with neither is left out; of one
    that has the class in the label or the prediction alone, the distance is the image's
    diagonal, so that a class that is missed does not raise the score.

    Attributes:
        spacing: height and width of a pixel, in mm for instance.
        ignore_index: the label that counts nowhere; None takes the data set's.
    """

    spacing: tuple[float, float] = (1.0, 1.0)
    ignore_index: int | None = None
    sees_images = True

    def __post_init__(self):
        if min(self.spacing) <= 0:
            raise FieldError(f"spacing is {self.spacing}; both must be above 0")

    def score_names(self) -> tuple[str, ...]:
        return ("mHD95",)

    def of_image(
        self, pred: np.ndarray, sample: Mapping[str, Any], classes: Sequence[str]
    ) -> np.ndarray:
        """The distance of each class; NaN where it is in neither."""
        found = np.full(len(classes), np.nan)
        for number, *masks in class_masks(pred, sample, len(classes)):
            if all(mask.any() for mask in masks):
                found[number] = hd95(*masks, self.spacing)
            else:
                found[number] = np.hypot(*np.multiply(pred.shape, self.spacing))
        return found

    def compute(self, counts: Counts, classes: Sequence[str]) -> Scores:
        there = ~np.isnan(counts.rows)
        with np.errstate(invalid="ignore"):
            means = np.where(there, counts.rows, 0).sum(0) / there.sum(0)
        mean = float(np.round(mean_over_classes(means), 2))
        return Scores({"mHD95": mean}, {"HD95": np.round(means, 2)})


def hd95(
    first: np.ndarray, second: np.ndarray, spacing: tuple[float, float] = (1.0, 1.0)
) -> float:
    """The distance of two masks (H, W) bool, neither of them empty."""
    from scipy import spatial  # which takes long to import

    points = [np.argwhere(_contour(mask)) * spacing for mask in (first, second)]
    # Contours are few pixels, so that a tree of them is quicker than a distance of
    # every pixel of the image.
    distances = [
        spatial.KDTree(other).query(one)[0] for one, other in (points, points[::-1])
    ]
    return float(np.percentile(np.concatenate(distances), 95))


def _contour(mask):
    """The pixels of a mask of which one of the four neighbours is outside."""
    padded = np.pad(mask, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~inner

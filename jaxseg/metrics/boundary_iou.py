"""Boundary IoU: the IoU of the pixels near the contour of a class, in it."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from jaxseg.errors import FieldError
from jaxseg.metrics.masks import class_masks
from jaxseg.metrics.metric import Counts, Metric, Scores, mean_over_classes


@dataclasses.dataclass(frozen=True)
class BoundaryIoUMetric(Metric):
    """Boundary IoU of each class, over the data set (Cheng et al., CVPR 2021).

    https://arxiv.org/abs/2103.16562. The boundary of a mask is what an erosion by a
    square takes from it; the image's border is a contour, too, as in the authors' code.
    Pixels that are ignored belong to no mask. Intersections and unions are summed over
    the images, as in mIoU.

    Attributes:
        dilation_ratio: width of the boundary, as a part of the image's diagonal.
        ignore_index: the label that counts nowhere; None takes the data set's.
    """

    dilation_ratio: float = 0.02
    ignore_index: int | None = None
    sees_images = True

    def __post_init__(self):
        if not 0 < self.dilation_ratio < 1:
            raise FieldError(
                f"dilation_ratio is {self.dilation_ratio}; it must be in (0, 1)"
            )

    def score_names(self) -> tuple[str, ...]:
        return ("mBoundaryIoU",)

    def of_image(
        self, pred: np.ndarray, sample: Mapping[str, Any], classes: Sequence[str]
    ) -> np.ndarray:
        """Two areas a class, one behind the other: intersection and union."""
        width = max(1, round(self.dilation_ratio * float(np.hypot(*pred.shape))))
        both = np.zeros((2, len(classes)))
        for number, *masks in class_masks(pred, sample, len(classes)):
            one, other = (boundary_of(mask, width) for mask in masks)
            both[:, number] = (one & other).sum(), (one | other).sum()
        return both.ravel()

    def compute(self, counts: Counts, classes: Sequence[str]) -> Scores:
        intersection, union = counts.rows.sum(0).reshape(2, -1)
        with np.errstate(invalid="ignore"):
            iou = 100 * intersection / union
        return Scores(
            {"mBoundaryIoU": float(np.round(mean_over_classes(iou), 2))},
            {"BoundaryIoU": np.round(iou, 2)},
        )


def boundary_of(mask: np.ndarray, width: int) -> np.ndarray:
    """The pixels of a mask (H, W) bool that are at most `width` from its outside.

    Distances are those of a chess king.
    """
    padded = np.pad(mask, 1).astype(np.uint8)
    kernel = np.ones((2 * width + 1,) * 2, np.uint8)
    return mask & (cv2.erode(padded, kernel)[1:-1, 1:-1] == 0)

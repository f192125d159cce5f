"""IoU metric: mmseg's `IoUMetric`, from one confusion matrix."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxseg.config import nearest
from jaxseg.errors import FieldError
from jaxseg.metrics.iou import (
    METRICS,
    score_names,
    scores_of_areas,
    segmentation_metrics,
)
from jaxseg.metrics.metric import Counts, Metric, Scores
from jaxseg.metrics.tables import write_table
from jaxseg.ops.confusion import add_label_maps, empty_total


@dataclasses.dataclass(frozen=True)
class IoUMetric(Metric):
    """Scores of the areas in which prediction and label agree.

    Attributes:
        iou_metrics: some of `mIoU`, `mDice`, `mFscore`, `fwIoU`.
        ignore_index: the label that counts nowhere; None takes the data set's.
        nan_to_num: what the score of a class that does not occur becomes, or None.
        beta: weight of the recall in mFscore.
        per_image: whether `per_image.csv` is written, too, with the scores of each
            image. The label maps are then fetched from the device.
    """

    iou_metrics: tuple[str, ...] = ("mIoU",)
    ignore_index: int | None = None
    nan_to_num: float | None = None
    beta: float = 1.0
    per_image: bool = False

    def __post_init__(self):
        if not self.iou_metrics:
            raise FieldError(f"iou_metrics is empty; allowed: {', '.join(METRICS)}")
        for name in self.iou_metrics:
            if name not in METRICS:
                raise FieldError(
                    f"iou_metrics has {name!r}{nearest(name, METRICS)}; allowed: "
                    f"{', '.join(METRICS)}"
                )

    @property
    def sees_images(self) -> bool:
        return self.per_image

    def score_names(self) -> tuple[str, ...]:
        return score_names(self.iou_metrics)

    def empty(self, num_classes: int) -> np.ndarray:
        return empty_total(num_classes)

    def update(self, total, preds, labels, is_sample, ignore_index, confidence=None):
        return add_label_maps(total, preds, labels, is_sample, ignore_index)

    def of_image(
        self, pred: np.ndarray, sample: Mapping[str, Any], classes: Sequence[str]
    ) -> np.ndarray:
        """Three areas a class, one behind the other: right, labelled, predicted."""
        label = np.asarray(sample["gt_seg_map"]).ravel().astype(np.int64)
        counts = label != sample["ignore_index"]
        label, pred = label[counts], pred.ravel()[counts]
        is_class = (label >= 0) & (label < len(classes))
        parts = pred[label == pred], label[is_class], pred
        areas = [np.bincount(part, minlength=len(classes)) for part in parts]
        return np.concatenate(areas).astype(np.float64)

    def compute(self, counts: Counts, classes: Sequence[str]) -> Scores:
        return segmentation_metrics(
            counts.total, self.iou_metrics, self.nan_to_num, self.beta
        )

    def write(self, counts: Counts, classes: Sequence[str], folder: Path) -> None:
        """`confusion.csv`, `confusion.png`, and with `per_image` `per_image.csv`."""
        # Matplotlib takes half a second to load, and a prediction draws nothing.
        from jaxseg.metrics.confusion_files import write_confusion

        write_confusion(counts.total, classes, folder)
        if counts.rows is None:
            return
        header = ("image", *self.score_names(), *(f"IoU {name}" for name in classes))
        rows = []
        for image, row in zip(counts.images, counts.rows, strict=True):
            areas = row.reshape(3, -1)
            scores = scores_of_areas(
                *areas, self.iou_metrics, self.nan_to_num, self.beta
            )
            iou = scores_of_areas(*areas).per_class["IoU"]
            rows.append((image, *scores.summary.values(), *iou))
        write_table(folder / "per_image.csv", header, rows)

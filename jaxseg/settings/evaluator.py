"""Evaluator of a config: `val_evaluator`."""

import dataclasses

from jaxseg.config import nearest
from jaxseg.errors import FieldError

METRICS = ("mIoU", "mDice", "mFscore")


@dataclasses.dataclass(frozen=True)
class IoUMetric:
    """`val_evaluator`: which scores are computed.

    Attributes:
        iou_metrics: some of `mIoU`, `mDice`, `mFscore`.
        ignore_index: the label that counts nowhere; None takes the data set's.
        nan_to_num: what the score of a class that does not occur becomes, or None.
        beta: weight of the recall in mFscore.
    """

    iou_metrics: tuple[str, ...] = ("mIoU",)
    ignore_index: int | None = None
    nan_to_num: float | None = None
    beta: float = 1.0

    def __post_init__(self):
        if not self.iou_metrics:
            raise FieldError(f"iou_metrics is empty; allowed: {', '.join(METRICS)}")
        for name in self.iou_metrics:
            if name not in METRICS:
                raise FieldError(
                    f"iou_metrics has {name!r}{nearest(name, METRICS)}; allowed: "
                    f"{', '.join(METRICS)}"
                )

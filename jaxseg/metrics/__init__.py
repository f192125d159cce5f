"""Metrics, the table of contents: a `type` of val_evaluator and test_evaluator."""

from jaxseg.metrics.iou_metric import IoUMetric

__all__ = [
    "IoUMetric",
]

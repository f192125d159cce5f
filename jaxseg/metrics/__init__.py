"""Metrics, the table of contents: a `type` of val_evaluator and test_evaluator."""

from jaxseg.metrics.boundary_iou import BoundaryIoUMetric
from jaxseg.metrics.calibration import CalibrationMetric
from jaxseg.metrics.cityscapes import CityscapesMetric
from jaxseg.metrics.depth_metric import DepthMetric
from jaxseg.metrics.hausdorff import HausdorffMetric
from jaxseg.metrics.iou_metric import IoUMetric

__all__ = [
    "BoundaryIoUMetric",
    "CalibrationMetric",
    "CityscapesMetric",
    "DepthMetric",
    "HausdorffMetric",
    "IoUMetric",
]

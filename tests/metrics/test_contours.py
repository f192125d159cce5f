"""Boundary IoU and Hausdorff distance, against their definitions pixel by pixel."""

import numpy as np
import pytest

from jaxseg.config import ConfigError
from jaxseg.metrics.boundary_iou import BoundaryIoUMetric, boundary_of
from jaxseg.metrics.hausdorff import HausdorffMetric, hd95
from jaxseg.metrics.metric import Counts
from jaxseg.settings.read import read_settings

SHAPE = (30, 40)


def block(top, left, height, width):
    mask = np.zeros(SHAPE, bool)
    mask[top : top + height, left : left + width] = True
    return mask


@pytest.mark.parametrize("width", [1, 2, 5])
def test_the_boundary_is_what_an_erosion_takes(width):
    mask = block(0, 8, 17, 20) | (np.random.default_rng(0).random(SHAPE) < 0.02)
    outside = np.argwhere(~np.pad(mask, 1)) - 1
    expected = np.zeros(SHAPE, bool)
    for y, x in np.argwhere(mask):
        expected[y, x] = np.abs(outside - [y, x]).max(1).min() <= width
    np.testing.assert_array_equal(boundary_of(mask, width), expected)


def test_boundary_iou():
    metric = BoundaryIoUMetric()  # 0.02 of a diagonal of 50: one pixel
    label = np.where(block(5, 5, 12, 12), 1, 0).astype(np.uint8)
    label[25:] = 255
    pred = np.where(block(5, 6, 12, 12), 1, 0).astype(np.uint8)
    sample = {"gt_seg_map": label, "ignore_index": 255}
    row = metric.of_image(pred, sample, "abc")
    # Two rings of 44 pixels one column apart: they share 2 * 11 pixels, top and bottom.
    assert row[1] == 22 and row[4] == 66
    scores = metric.compute(Counts(None, "ab", np.stack([row, row])), "xyz")
    iou = scores.per_class["BoundaryIoU"]
    assert iou[1] == round(100 * 22 / 66, 2) and np.isnan(iou[2])
    assert scores.summary["mBoundaryIoU"] == pytest.approx(iou[:2].mean(), abs=0.01)
    perfect = metric.of_image(np.where(label == 255, 0, label), sample, "abc")
    assert perfect[:2].tolist() == perfect[3:5].tolist()


def contour(mask):
    padded = np.pad(mask, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.argwhere(mask & ~inner)


def test_hausdorff_distance_95():
    first, second = block(3, 4, 9, 11), block(5, 9, 15, 8) | block(28, 38, 1, 1)
    for spacing in ((1.0, 1.0), (0.5, 2.0)):
        one, other = (contour(mask) * spacing for mask in (first, second))
        table = np.linalg.norm(one[:, None] - other[None], axis=-1)
        expected = np.percentile(np.concatenate([table.min(0), table.min(1)]), 95)
        assert hd95(first, second, spacing) == pytest.approx(expected)


def test_a_class_that_is_missed_is_as_far_as_the_image_is_wide():
    metric = HausdorffMetric()
    label = np.where(block(3, 4, 9, 11), 1, 0).astype(np.uint8)
    sample = {"gt_seg_map": label, "ignore_index": 255}
    missed = metric.of_image(np.zeros(SHAPE, np.uint8), sample, "abc")
    assert missed[1] == 50 and np.isnan(missed[2])
    right = metric.of_image(label, sample, "abc")
    assert right[:2].tolist() == [0, 0]
    scores = metric.compute(Counts(None, "ab", np.stack([missed, right])), "xyz")
    assert scores.per_class["HD95"][1] == 25
    assert np.isnan(scores.per_class["HD95"][2])


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (dict(type="BoundaryIoUMetric", dilation_ratio=2.0), "dilation_ratio is 2.0"),
        (dict(type="HausdorffMetric", spacing=[0.0, 1.0]), "spacing is .0.0, 1.0."),
        (dict(type="CalibrationMetric", num_bins=0), "num_bins is 0"),
    ],
)
def test_wrong_values(entry, message):
    with pytest.raises(ConfigError, match=message):
        read_settings(dict(val_evaluator=[dict(), entry]))

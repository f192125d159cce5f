"""IoUMetric: frequency weights, single images, tables and the confusion matrix."""

import csv

import numpy as np
import pytest
from PIL import Image

from jaxseg.metrics.iou import segmentation_metrics
from jaxseg.metrics.iou_metric import IoUMetric
from jaxseg.metrics.metric import Counts, join_counts

# 10 pixels of class 0, 20 of 1, none of 2, which is predicted 4 times.
CONFUSION = np.array([[6, 2, 2], [4, 14, 2], [0, 0, 0], [0, 1, 0]])


def test_frequency_weighted_iou():
    summary, per_class = segmentation_metrics(CONFUSION, ("fwIoU",))
    # By hand: 6 / 14 of a third, 14 / 23 of two thirds.
    assert summary == {"aAcc": 66.67, "fwIoU": round(100 * (2 / 14 + 28 / 69), 2)}
    assert per_class == {}
    both = segmentation_metrics(CONFUSION, ("mIoU", "fwIoU")).summary
    assert list(both) == ["aAcc", "mIoU", "mAcc", "fwIoU"]
    nothing = segmentation_metrics(np.zeros((3, 2), int), ("fwIoU",)).summary
    assert np.isnan(nothing["fwIoU"])


@pytest.fixture
def counts():
    """What two images give, and the sum of both."""
    rng, metric = np.random.default_rng(0), IoUMetric(per_image=True)
    total, rows = np.zeros((4, 3), np.int64), []
    for size in ((5, 7), (4, 4)):
        pred = rng.integers(0, 3, size).astype(np.uint8)
        label = np.where(rng.random(size) < 0.5, pred, rng.integers(0, 4, size))
        label[0, 0] = 255
        np.add.at(total, (label[label != 255], pred[label != 255]), 1)
        sample = {"gt_seg_map": label.astype(np.uint8), "ignore_index": 255}
        rows.append(metric.of_image(pred, sample, "abc"))
    return Counts(total, ("a.png", "b.png"), np.stack(rows))


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_the_areas_of_the_images_are_those_of_the_data_set(counts):
    metric, classes = IoUMetric(("mIoU", "fwIoU"), per_image=True), "xyz"
    summed = counts.rows.sum(0).reshape(3, 3)
    np.testing.assert_array_equal(summed[0], np.diagonal(counts.total))
    np.testing.assert_array_equal(summed[1], counts.total[:-1].sum(1))
    np.testing.assert_array_equal(summed[2], counts.total.sum(0))
    twice = join_counts([counts, counts])
    assert metric.compute(twice, classes).summary == (
        metric.compute(counts, classes).summary
    )
    assert twice.rows.shape == (4, 9) and len(twice.images) == 4


def test_tables(counts, tmp_path):
    metric = IoUMetric(("mIoU", "fwIoU"), per_image=True)
    metric.write(counts, ("x", "sky, far", "z"), tmp_path)
    header, *rows = read(tmp_path / "per_image.csv")
    assert header == [
        *("image", "aAcc", "mIoU", "mAcc", "fwIoU"),
        *("IoU x", "IoU sky, far", "IoU z"),
    ]
    assert [row[0] for row in rows] == ["a.png", "b.png"]
    ious = np.array([row[5:] for row in rows], np.float64)
    assert float(rows[0][2]) == pytest.approx(ious[0].mean(), abs=0.01)
    header, *rows = read(tmp_path / "confusion.csv")
    assert header == ["label \\ prediction", "x", "sky, far", "z"]
    assert rows[-1][0] == "(label out of range)"
    np.testing.assert_array_equal(
        np.array([row[1:] for row in rows], np.int64), counts.total
    )
    with Image.open(tmp_path / "confusion.png") as picture:
        assert min(picture.size) > 200

import numpy as np
import pytest

from jaxseg.metrics.confusion import confusion_matrix
from jaxseg.metrics.iou import METRICS, format_table, segmentation_metrics

NAN = np.nan

# Five classes: 3 is absent, 4 is predicted and never labelled; 255 is ignored, 5 and 7
# are out of range. The expected numbers below are what IoUMetric of mmseg 1.2.2 gives
# for these two images.
LABELS = np.array(
    [
        [[0, 0, 0, 1, 1, 255], [0, 2, 2, 1, 1, 255], [5, 2, 2, 2, 1, 0]],
        [[1, 1, 0, 0, 2, 2], [1, 7, 0, 0, 2, 255], [1, 1, 0, 0, 2, 2]],
    ]
)
PREDICTIONS = np.array(
    [
        [[0, 0, 1, 1, 1, 1], [0, 2, 2, 1, 0, 0], [0, 2, 2, 4, 1, 0]],
        [[1, 1, 0, 0, 2, 1], [1, 2, 0, 1, 2, 2], [1, 4, 0, 0, 2, 2]],
    ]
)


@pytest.fixture(scope="module")
def confusion():
    return np.asarray(confusion_matrix(PREDICTIONS, LABELS, 5))


def test_equals_mmseg(confusion):
    summary, per_class = segmentation_metrics(confusion, METRICS)
    assert summary == {
        "aAcc": 80.65,
        "mIoU": 50.87,
        "mAcc": 80.61,
        "mDice": 60.55,
        "mFscore": 80.74,
        "mPrecision": 60.86,
        "mRecall": 80.61,
    }
    expected = {
        "IoU": [69.23, 61.54, 72.73, NAN, 0.0],
        "Acc": [81.82, 80.0, 80.0, NAN, NAN],
        "Dice": [81.82, 76.19, 84.21, NAN, 0.0],
        "Fscore": [81.82, 76.19, 84.21, NAN, NAN],
        "Precision": [81.82, 72.73, 88.89, NAN, 0.0],
        "Recall": [81.82, 80.0, 80.0, NAN, NAN],
    }
    assert per_class.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(per_class[name], values, err_msg=name)


def test_nan_to_num_equals_mmseg(confusion):
    summary, _ = segmentation_metrics(confusion, METRICS, nan_to_num=0)
    assert summary == {
        "aAcc": 80.65,
        "mIoU": 40.7,
        "mAcc": 48.36,
        "mDice": 48.44,
        "mFscore": 48.44,
        "mPrecision": 48.69,
        "mRecall": 48.36,
    }


def test_beta_equals_mmseg(confusion):
    summary, per_class = segmentation_metrics(confusion, ["mFscore"], beta=2)
    assert summary["mFscore"] == 80.63
    np.testing.assert_array_equal(per_class["Fscore"], [81.82, 78.43, 81.63, NAN, NAN])
    assert list(summary) == ["aAcc", "mFscore", "mPrecision", "mRecall"]


def test_no_labelled_pixel_gives_nan_without_a_warning():
    summary, _ = segmentation_metrics(np.zeros((3, 2), np.int64))
    assert all(np.isnan(value) for value in summary.values())


def test_counts_above_float32_are_exact():
    # 2 ** 24 is where float32 stops to count: 2 ** 24 + 1 is not a float32.
    right, wrong = 2**24 * 1000 + 1, 2**24
    confusion = np.array([[right, wrong], [0, right], [0, 0]], np.int64)
    summary, _ = segmentation_metrics(confusion)
    iou = right / (right + wrong)
    assert summary["mIoU"] == round(100 * iou, 2)


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match=r"\(C \+ 1, C\), found \(2, 2\)"):
        segmentation_metrics(np.zeros((2, 2), int))
    with pytest.raises(ValueError, match=r"\['mAP'\] are not known, allowed are"):
        segmentation_metrics(np.zeros((3, 2), int), ["mAP"])
    with pytest.raises(ValueError, match="IoU has 2 values, but there are 1 classes"):
        format_table({"IoU": np.zeros(2)}, ["road"])


def test_table_has_a_line_a_class():
    table = format_table(
        {"IoU": np.array([69.23, NAN]), "Acc": np.array([100.0, 0.5])},
        ["road", "sky"],
    )
    assert table.split("\n") == [
        "Class    IoU     Acc",
        "road   69.23  100.00",
        "sky      nan    0.50",
    ]

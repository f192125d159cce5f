import json
import pathlib

import numpy as np
import pytest

from jaxseg.metrics.iou import _ratios, format_table, segmentation_metrics
from jaxseg.ops.confusion import (
    add_to_total,
    confusion_matrix,
    empty_total,
    read_total,
)

NAN = np.nan

# Seven classes on four images of different sizes: one absent, one predicted and never
# labelled, one never right; labels out of range, and of several ignore_index. What
# IoUMetric of mmseg 1.2.2 says of them: see make_iou_metric.py beside the file.
STORED = np.load(pathlib.Path(__file__).with_name("iou_metric.npz"))
NUM_CLASSES = STORED["areas_0"].shape[1]
NUM_IMAGES = sum(name.startswith("pred_") for name in STORED)
CASES = json.loads(str(STORED["cases"]))


def count(ignore_index=255):
    """The total of the stored images, summed as an evaluation sums it."""
    total = empty_total(NUM_CLASSES)
    for i in range(NUM_IMAGES):
        pred, label = STORED[f"pred_{i}"], STORED[f"label_{i}"]
        counts = confusion_matrix(pred, label, NUM_CLASSES, ignore_index)
        total = add_to_total(total, counts)
    return read_total(total)


def areas(confusion):
    """Pixels that are right, predicted and labelled, a row each."""
    return np.stack([np.diag(confusion), confusion.sum(0), confusion[:-1].sum(1)])


def test_the_stored_images_have_every_kind_of_label_and_class():
    label = np.concatenate([STORED[f"label_{i}"].ravel() for i in range(NUM_IMAGES)])
    assert {7, 9, 200, 255} <= set(label.tolist())
    right, predicted, labelled = areas(count())
    assert set(zip(right > 0, predicted > 0, labelled > 0, strict=True)) == {
        (True, True, True),
        (False, False, False),
        (False, True, False),
        (False, True, True),
    }


@pytest.mark.parametrize("k, case", list(enumerate(CASES)))
def test_integers_are_those_of_mmseg(k, case):
    right, predicted, labelled = areas(count(case["settings"].get("ignore_index", 255)))
    union = predicted + labelled - right
    found = np.stack([right, union, predicted, labelled])
    np.testing.assert_array_equal(found, STORED[f"areas_{k}"])


@pytest.mark.parametrize("case", CASES)
def test_scores_are_those_of_mmseg(case):
    settings = dict(case["settings"])
    confusion = count(settings.pop("ignore_index", 255))
    metrics = settings.pop("iou_metrics")
    summary, per_class = segmentation_metrics(confusion, metrics, **settings)
    # float32 there: the second decimal is equal, the bits behind it are not.
    assert {name: f"{value:.2f}" for name, value in summary.items()} == {
        name: f"{value:.2f}" for name, value in case["summary"].items()
    }
    assert {"aAcc", *per_class} == case["scores"].keys()
    for name, values in per_class.items():
        expected = np.round(100 * np.array(case["scores"][name]), 2)
        np.testing.assert_allclose(values, expected, atol=1e-9, err_msg=name)


@pytest.mark.parametrize(
    "case", [case for case in CASES if "nan_to_num" not in case["settings"]]
)
def test_scores_before_rounding_are_those_of_mmseg(case):
    settings = case["settings"]
    confusion = count(settings.get("ignore_index", 255))
    right, predicted, labelled = areas(confusion).astype(np.float64)
    with np.errstate(invalid="ignore"):
        ratios = _ratios(
            right,
            labelled,
            predicted,
            settings["iou_metrics"],
            settings.get("beta", 1),
        )
    for name, values in ratios.items():
        # float32 keeps 24 bits, 6e-8; a quotient of quotients here is a few of them.
        expected = case["scores"][name]
        np.testing.assert_allclose(values, expected, rtol=1e-6, err_msg=name)


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

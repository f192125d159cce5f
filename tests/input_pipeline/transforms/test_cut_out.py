"""Cutout; mmseg's values are in test_mmseg_examples.py."""

import numpy as np
import pytest

from input_pipeline.transforms import RandomCutOut
from tests.input_pipeline.transforms.recorded_draws import RecordedDraws


def draws(left, top):
    """One rectangle at a place of an image of 60x80."""
    return RecordedDraws(
        [
            ("random", [], 0.2),
            ("integers", [1, 2], 1),
            ("integers", [0, 80], left),
            ("integers", [0, 60], top),
            ("integers", [0, 1], 0),
        ]
    )


def test_every_target_is_filled(picture, label):
    record = {
        "img": picture,
        "gt_seg_map": label,
        "gt_depth_map": np.ones((60, 80), np.float32),
    }
    kept = {key: array.copy() for key, array in record.items()}
    transform = RandomCutOut(1.0, 1, cutout_shape=(30, 9), seg_fill_in=4)
    found = transform(record, draws(left=60, top=10))
    inside = np.zeros((60, 80), bool)
    inside[10:19, 60:] = True
    for key in ("gt_seg_map", "gt_depth_map"):
        expected = np.where(inside, 4, record[key])
        np.testing.assert_array_equal(found[key], expected)
        assert found[key].dtype == record[key].dtype
    assert not found["img"][inside].any()
    for key, array in kept.items():
        np.testing.assert_array_equal(record[key], array)  # a record stays as it is


def test_targets_stay_by_default(picture, label):
    record = {"img": picture, "gt_seg_map": label}
    transform = RandomCutOut(1.0, 1, cutout_ratio=(0.5, 0.5), fill_in=(1, 2, 3))
    found = transform(record, draws(left=0, top=0))
    assert found["gt_seg_map"] is label
    np.testing.assert_array_equal(found["img"][:30, :40], [[[1, 2, 3]] * 40] * 30)


def test_a_colour_of_other_channels(picture):
    transform = RandomCutOut(0.0, 1, cutout_shape=(3, 3), fill_in=(0,))
    with pytest.raises(ValueError, match=r"a.png: RandomCutOut.fill_in is \(0,\), and"):
        transform({"img": picture, "img_path": "a.png"}, None)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"prob": 2}, r"prob is 2; it must be in \[0, 1\]"),
        ({"cutout_ratio": (0.1, 0.1)}, "exactly one of them must be set"),
        ({"cutout_shape": None}, "exactly one of them must be set"),
        ({"n_holes": (3, 1)}, r"n_holes is \(3, 1\)"),
        ({"n_holes": -1}, "n_holes is -1"),
        ({"cutout_shape": ((3, 3), (0, 3))}, r"cutout_shape is \(\(3, 3\), \(0, 3\)\)"),
        ({"cutout_shape": ()}, r"cutout_shape is \(\); it must be"),
    ],
)
def test_fields_that_do_not_fit(fields, message):
    fits = {"prob": 1, "n_holes": 1, "cutout_shape": (3, 3)}
    with pytest.raises(ValueError, match=message):
        RandomCutOut(**fits | fields)

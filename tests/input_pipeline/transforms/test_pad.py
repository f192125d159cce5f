"""Padding."""

import numpy as np
import pytest

from input_pipeline.transforms import Pad


def test_to_a_size(picture, label):
    padded = Pad(size=(90, 64))({"img": picture, "gt_seg_map": label}, None)
    assert padded["img_shape"] == (64, 90)  # size is (w, h)
    assert padded["img"].shape == (64, 90, 3)
    np.testing.assert_array_equal(padded["img"][:60, :80], picture)
    np.testing.assert_array_equal(padded["gt_seg_map"][:60, :80], label)
    assert not padded["img"][60:].any() and not padded["img"][:, 80:].any()
    assert (padded["gt_seg_map"][60:] == 255).all()
    assert (padded["gt_seg_map"][:, 80:] == 255).all()


def test_larger_images_stay(picture):
    assert Pad(size=(40, 90))({"img": picture}, None)["img_shape"] == (90, 80)


def test_to_a_multiple(picture, label):
    values = {"img": (1, 2, 3), "seg": 9}
    transform = Pad(size_divisor=32, pad_val=values)
    padded = transform({"img": picture, "gt_seg_map": label}, None)
    assert padded["img_shape"] == padded["gt_seg_map"].shape == (64, 96)
    np.testing.assert_array_equal(padded["img"][63, 95], [1, 2, 3])
    assert padded["gt_seg_map"][63, 95] == 9
    already = Pad(size_divisor=20)({"img": picture}, None)
    assert already["img_shape"] == (60, 80)


@pytest.mark.parametrize("channels, dtype", [(1, "uint16"), (7, "float32")])
def test_any_image(channels, dtype):
    img = np.ones((3, 4, channels), dtype)
    padded = Pad(size=(6, 5), pad_val=7)({"img": img}, None)["img"]
    assert padded.shape == (5, 6, channels) and padded.dtype == dtype
    assert padded.sum() == channels * (12 + 7 * 18)


def test_impossible_settings():
    with pytest.raises(ValueError, match="exactly one"):
        Pad()
    with pytest.raises(ValueError, match="exactly one"):
        Pad(size=(4, 4), size_divisor=2)
    with pytest.raises(ValueError, match="keys .*'image'"):
        Pad(size=(4, 4), pad_val={"image": 0})

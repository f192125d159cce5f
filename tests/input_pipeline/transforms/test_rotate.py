"""Random rotation."""

import cv2
import numpy as np
import pytest

from input_pipeline.transforms import RandomRotate
from input_pipeline.transforms.rotate import rotate


@pytest.mark.parametrize("channels", [1, 3, 7])
def test_right_angles_are_exact(channels):
    img = np.arange(9 * 9 * channels, dtype=np.uint16).reshape(9, 9, channels)
    np.testing.assert_array_equal(rotate(img, 90), np.rot90(img, -1))  # clockwise
    np.testing.assert_array_equal(rotate(img, 180, "nearest"), img[::-1, ::-1])


def test_auto_bound_keeps_every_pixel():
    img = np.arange(4 * 7 * 3, dtype=np.uint8).reshape(4, 7, 3)
    turned = rotate(img, 90, auto_bound=True)
    np.testing.assert_array_equal(turned, np.rot90(img, -1))


def test_pixels_are_opencv_s(picture, label):
    matrix = cv2.getRotationMatrix2D((39.5, 29.5), -30.0, 1.0)
    transform = RandomRotate(1.0, (30.0, 30.0), pad_val=9)
    results = {"img": picture, "gt_seg_map": label}
    rotated = transform(results, np.random.default_rng(0))
    expected = cv2.warpAffine(picture, matrix, (80, 60), borderValue=(9, 9, 9))
    np.testing.assert_array_equal(rotated["img"], expected)
    expected = cv2.warpAffine(
        label, matrix, (80, 60), flags=cv2.INTER_NEAREST, borderValue=255
    )
    np.testing.assert_array_equal(rotated["gt_seg_map"], expected)
    assert rotated["gt_seg_map"][0, 0] == 255


def test_size_of_auto_bound(picture, label):
    transform = RandomRotate(1.0, (30.0, 30.0), auto_bound=True)
    results = {"img": picture, "gt_seg_map": label}
    rotated = transform(results, np.random.default_rng(0))
    # mmseg 1.2.2; by hand 80 cos 30 + 60 sin 30 = 99.3, 60 cos 30 + 80 sin 30 = 91.96
    assert rotated["img_shape"] == (92, 99)
    assert rotated["img"].shape == (92, 99, 3)
    assert rotated["gt_seg_map"].shape == (92, 99)


def test_about_a_center():
    img = np.zeros((9, 9, 1), np.uint8)
    img[2, 6] = 255  # (x, y) = (6, 2), four to the right of (2, 2)
    turned = rotate(img, 90, center=(2.0, 2.0))
    assert turned[6, 2] == 255 and turned.sum() == 255


def test_impossible_settings():
    with pytest.raises(ValueError, match="prob is 2"):
        RandomRotate(2, 10)
    with pytest.raises(ValueError, match="only one of them"):
        RandomRotate(0.5, 10, center=(1.0, 1.0), auto_bound=True)

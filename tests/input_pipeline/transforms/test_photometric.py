"""Distortion of colours."""

import cv2
import numpy as np
import pytest

from input_pipeline.errors import DataError
from input_pipeline.transforms import PhotoMetricDistortion
from input_pipeline.transforms.photometric import Distortion, distort


def test_brightness_and_contrast_by_hand():
    img = np.array([[[0, 100, 250]]], np.uint8)
    # 100 * 1.5 = 150; 250 * 1.5 is cut off at 255.
    np.testing.assert_array_equal(
        distort(img, Distortion(contrast=1.5)), [[[0, 150, 255]]]
    )
    # Truncated, not rounded: 100 + 10.9 = 110; below zero is cut off.
    bright = distort(img, Distortion(brightness=10.9))
    np.testing.assert_array_equal(bright, [[[10, 110, 255]]])
    dark = distort(img, Distortion(brightness=-30.5))
    np.testing.assert_array_equal(dark, [[[0, 69, 219]]])
    # (100 + 10.9 -> 110) * 0.5 = 55, (250 -> 255) * 0.5 = 127.5 -> 127
    both = distort(img, Distortion(brightness=10.9, contrast=0.5))
    np.testing.assert_array_equal(both, [[[5, 55, 127]]])


def test_hue_and_saturation_by_hand():
    red = np.array([[[200, 0, 0]]], np.uint8)
    green = distort(red, Distortion(hue=60))  # 60 units are 120 degrees
    np.testing.assert_array_equal(green, [[[0, 200, 0]]])
    blue = distort(red, Distortion(hue=-60))
    np.testing.assert_array_equal(blue, [[[0, 0, 200]]])
    grey = distort(red, Distortion(saturation=0.0))
    np.testing.assert_array_equal(grey, [[[200, 200, 200]]])


def test_contrast_last_is_after_hsv(picture):
    last = Distortion(contrast=1.3, contrast_first=False, saturation=0.6)
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    hsv[..., 1] = (hsv[..., 1] * np.float32(0.6)).astype(np.uint8)
    rgb = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).astype(np.float32)
    expected = np.clip(rgb * np.float32(1.3), 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(distort(picture, last), expected)


def test_nothing_drawn_changes_nothing(picture):
    assert distort(picture, Distortion()) is picture


@pytest.mark.parametrize("dtype, channels", [("uint16", 3), ("uint8", 1), ("uint8", 5)])
def test_other_images_are_refused(dtype, channels):
    results = {"img": np.zeros((4, 5, channels), dtype), "img_path": "a.tif"}
    with pytest.raises(DataError, match=f"a.tif.*{channels} channels of {dtype}"):
        PhotoMetricDistortion()(results, None)

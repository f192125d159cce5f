"""Resizing: sizes as mmcv computes them, pixels as OpenCV does."""

import cv2
import numpy as np
import pytest
from PIL import Image

from input_pipeline.errors import DataError
from input_pipeline.transforms import (
    RandomChoiceResize,
    RandomResize,
    Resize,
    ResizeShortestEdge,
)


def shape_after(transform, height, width):
    results = transform({"img": np.zeros((height, width, 3), np.uint8)}, None)
    assert results["img_shape"] == results["img"].shape[:2]
    return results["img_shape"]


# All shapes are those of mmseg 1.2.2.
@pytest.mark.parametrize(
    "transform, shapes",
    [
        (
            Resize(scale=(2048, 512), keep_ratio=True),
            [(512, 683), (683, 512), (512, 512), (205, 2048)],
        ),
        (
            ResizeShortestEdge(scale=640, max_size=2560),
            [(640, 853), (853, 640), (640, 640), (256, 2560)],
        ),
        (
            Resize(scale_factor=0.75, keep_ratio=True),
            [(281, 375), (375, 281), (384, 384), (75, 750)],
        ),
        (
            Resize(scale_factor=1.25),
            [(469, 625), (625, 469), (640, 640), (125, 1250)],
        ),
    ],
)
def test_sizes(transform, shapes):
    inputs = [(375, 500), (500, 375), (512, 512), (100, 1000)]
    assert [shape_after(transform, h, w) for h, w in inputs] == shapes


def test_sizes_by_hand():
    assert shape_after(Resize(scale=(30, 20)), 50, 60) == (20, 30)  # scale is (w, h)
    assert shape_after(Resize(scale=30), 50, 60) == (30, 30)
    assert shape_after(Resize(scale_factor=(2.0, 0.5)), 50, 60) == (25, 120)
    assert shape_after(Resize(scale_factor=0.5), 33, 77) == (17, 39)  # 16.5, 38.5
    # 28 * 1.25 = 35, 21 * 1.25 + 0.5 = 26.75; 26 / 21 * 22 + 0.5 = 27.7.
    assert shape_after(Resize(scale_factor=1.25), 22, 21) == (28, 26)
    fitted = Resize(scale_factor=1.25, keep_ratio=True)
    assert shape_after(fitted, 22, 21) == (27, 26)


def test_image_is_bilinear_and_label_nearest(picture, label):
    results = {"img": picture, "gt_seg_map": label}
    resized = Resize(scale=(97, 41))(results, None)
    expected = cv2.resize(picture, (97, 41), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(resized["img"], expected)
    expected = cv2.resize(label, (97, 41), interpolation=cv2.INTER_NEAREST)
    np.testing.assert_array_equal(resized["gt_seg_map"], expected)
    assert resized["gt_seg_map"].dtype == np.uint8
    assert results["img"] is picture, "the record given must stay as it was"


def test_bilinear_by_hand():
    # Pixel centres of four on two: -0.25, 0.25, 0.75, 1.25, cut off at 0 and 1.
    img = np.array([[[0], [100]]], np.uint8)
    resized = Resize(scale=(4, 1))({"img": img}, None)["img"]
    np.testing.assert_array_equal(resized[..., 0], [[0, 25, 75, 100]])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 2, 5, 13])
def test_any_number_of_channels(dtype, channels):
    img = np.arange(6 * 8 * channels).reshape(6, 8, channels).astype(dtype)
    resized = Resize(scale=(4, 3), interpolation="nearest")({"img": img}, None)["img"]
    assert resized.dtype == dtype
    np.testing.assert_array_equal(resized, img[::2, ::2])


def test_draws_stay_in_range():
    rng = np.random.default_rng(0)
    transform = RandomResize((200, 100), ratio_range=(0.5, 2.0))
    widths, heights = zip(
        *(transform.draw((7, 8), rng) for _ in range(500)), strict=True
    )
    assert 100 <= min(widths) < 105 and 390 < max(widths) <= 400
    assert 50 <= min(heights) and max(heights) <= 200


def test_both_ends_of_a_range_can_come():
    rng = np.random.default_rng(0)
    transform = RandomResize(((2, 5), (3, 6)))
    drawn = {transform.draw((7, 8), rng) for _ in range(100)}
    assert drawn == {(2, 5), (2, 6), (3, 5), (3, 6)}


def test_impossible_settings():
    with pytest.raises(ValueError, match="exactly one"):
        Resize()
    with pytest.raises(ValueError, match="exactly one"):
        Resize(scale=(4, 4), scale_factor=0.5)
    with pytest.raises(ValueError, match="'linear'.*bilinear"):
        Resize(scale=4, interpolation="linear")
    with pytest.raises(ValueError, match="ratio_range"):
        RandomResize((200, 100))
    with pytest.raises(ValueError, match="ratio_range"):
        RandomResize(((200, 100), (400, 200)), ratio_range=(0.5, 2.0))
    with pytest.raises(ValueError, match="resize_type is 'Pad'"):
        RandomChoiceResize((32,), resize_type="Pad")
    with pytest.raises(ValueError, match="max_size"):
        RandomChoiceResize((32,), resize_type="ResizeShortestEdge")


def test_a_shortest_side_needs_the_ratio_to_be_kept():
    for fields in ({"min_size": 8}, {"min_size": 0, "keep_ratio": True}):
        with pytest.raises(ValueError, match="RandomResize has min_size="):
            RandomResize((20, 10), (0.5, 1.0), **fields)


def test_the_smallest_size_of_what_is_drawn():
    own = RandomResize(None, (0.5, 2.0))
    assert own.smallest_size((80, 61)) == (40, 30)
    bounded = RandomResize(((90, 20), (90, 70)), keep_ratio=True, min_size=30)
    assert bounded.smallest_size((80, 60)) == (40, 30)


def test_pillows_interpolations_are_pillows():
    picture = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    step = Resize(scale=(17, 11), interpolation="pillow-bicubic")
    expected = Image.fromarray(picture).resize((17, 11), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(step({"img": picture}, None)["img"], expected)
    with pytest.raises(DataError, match="for images of uint8"):
        step({"img": picture.astype(np.uint16)}, None)

"""A resizing and a crop joined, against the one and then the other."""

import cv2
import numpy as np
import pytest

from input_pipeline.errors import DataError
from input_pipeline.transforms import (
    RandomChoiceResize,
    RandomCrop,
    RandomFlip,
    RandomResize,
    Resize,
    ResizeShortestEdge,
)
from input_pipeline.transforms.resize import resize
from input_pipeline.transforms.resized_crop import (
    ResizedCrop,
    image_window,
    join_resize_and_crop,
    label_window,
)


def noise(height, width, channels=3, dtype=np.uint8, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.random((height, width, channels)) * 255).astype(dtype)


@pytest.mark.parametrize(
    "resizing",
    [
        RandomResize((160, 120), ratio_range=(0.5, 2.0), keep_ratio=True),
        RandomResize((160, 120), ratio_range=(0.5, 2.0)),
        RandomResize(((40, 30), (200, 150))),
        RandomChoiceResize((50, 90), "ResizeShortestEdge", max_size=150),
        RandomChoiceResize(((160, 120), (33, 47))),
        ResizeShortestEdge(77, 1000),
        Resize((123, 51)),
        Resize((80, 60)),  # of the image itself
        Resize((123, 51), interpolation="bicubic"),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_equal_to_one_after_the_other(resizing, dtype):
    crop = RandomCrop((32, 48), cat_max_ratio=0.5)
    (joined,) = join_resize_and_crop([resizing, crop])
    for seed in range(12):
        img = noise(60, 80, 1 if seed % 3 == 0 else 3, dtype, seed)
        label = noise(6, 8, 1, np.uint8, seed)[..., 0] // 64
        label = label.repeat(10, 0).repeat(10, 1)
        results = {"img": img, "gt_seg_map": label, "ignore_index": 1}
        one, other = np.random.default_rng(seed), np.random.default_rng(seed)
        expected = crop(resizing(results, one), one)
        found = joined(results, other)
        assert one.random() == other.random(), "as many draws"
        np.testing.assert_array_equal(found["img"], expected["img"])
        np.testing.assert_array_equal(found["gt_seg_map"], expected["gt_seg_map"])
        assert found["img_shape"] == expected["img_shape"] == found["img"].shape[:2]
        assert found["img"].dtype == dtype


# OpenCV takes another way for half the size; sizes are (height, width).
SIZES = [(60, 80), (61, 83), (30, 40), (120, 160), (37, 201), (113, 41), (7, 300)]


@pytest.mark.parametrize("size", SIZES)
def test_windows_of_any_place_and_size(size):
    img, label = noise(60, 80), noise(60, 80, 1)[..., 0]
    height, width = size
    for interpolation in ("bilinear", "nearest"):
        whole = resize(img, (width, height), interpolation)
        for rows, columns in _windows(size):
            found = image_window(
                img, (width, height), (rows, columns), interpolation, 0
            )
            expected = whole[rows.start : rows.stop, columns.start : columns.stop]
            np.testing.assert_array_equal(found, expected)
    whole = cv2.resize(label, (width, height), interpolation=cv2.INTER_NEAREST)
    for rows, columns in _windows(size):
        found = label_window(label, (width, height), (rows, columns))
        expected = whole[rows.start : rows.stop, columns.start : columns.stop]
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("size", [(1201, 1433), (999, 1999), (333, 501), (1200, 1600)])
def test_crop_first_is_within_one_grey_level(size):
    # Black and white noise has the steepest edges.
    img = noise(600, 800) // 128 * 255
    height, width = size
    whole = resize(img, (width, height), "bilinear").astype(int)
    near = 0
    for rows, columns in _windows(size):
        window = rows, columns
        found = image_window(img, (width, height), window, "bilinear", 1 / 700)
        expected = whole[rows.start : rows.stop, columns.start : columns.stop]
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() <= 1
        near += (found != expected).any()
    # At twice the size, and at 0.63 times the width, the places are exact.
    assert (near > 0) == (size in [(1201, 1433), (999, 1999)])


def _windows(size):
    """(rows, columns) at every corner, and at some places between them."""
    height, width = size
    h, w = min(height, 20), min(width, 33)
    places = {(0, 0), (height - h, width - w), (0, width - w), (height - h, 0)}
    places |= {((height - h) // 2, (width - w) // 3), ((height - h) // 3, width // 9)}
    return [(range(t, t + h), range(e, min(e + w, width))) for t, e in sorted(places)]


def test_crop_first_changes_no_label_and_no_draw():
    resizing = RandomResize((160, 120), ratio_range=(1.0, 2.0))
    results = {"img": noise(60, 80), "gt_seg_map": noise(60, 80, 1)[..., 0]}
    (exact,) = join_resize_and_crop([resizing, RandomCrop(32)])
    (cut,) = join_resize_and_crop([resizing, RandomCrop(32, crop_first=True)])
    for seed in range(10):
        one = exact(results, np.random.default_rng(seed))
        other = cut(results, np.random.default_rng(seed))
        np.testing.assert_array_equal(one["gt_seg_map"], other["gt_seg_map"])
        assert np.abs(one["img"].astype(int) - other["img"]).max() <= 1


def test_what_is_joined():
    resizing, crop, flip = Resize((9, 9)), RandomCrop(5), RandomFlip(0.5)
    assert join_resize_and_crop([resizing, crop, flip]) == [
        ResizedCrop(resizing, crop),
        flip,
    ]
    assert join_resize_and_crop([resizing, flip, crop]) == [resizing, flip, crop]
    with pytest.raises(ValueError, match="crop_first.*RandomResize"):
        join_resize_and_crop([flip, RandomCrop(5, crop_first=True)])


def test_a_label_that_is_missing_is_told_before_anything_is_drawn():
    (joined,) = join_resize_and_crop([Resize((9, 9)), RandomCrop(5, 0.75)])
    with pytest.raises(DataError, match="a.png.*cat_max_ratio=0.75 needs a label"):
        joined({"img": noise(8, 8), "img_path": "a.png"}, None)

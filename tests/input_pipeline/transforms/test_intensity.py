"""Intensity transforms; mmseg's values are in test_mmseg_examples.py."""

import numpy as np
import pytest

from input_pipeline.transforms import CLAHE, AdjustGamma, Rerange, RGB2Gray


def apply(transform, img):
    return transform({"img": img, "img_path": "a.png"}, None)["img"]


def test_gray_weighs_red_green_and_blue(picture):
    gray = apply(RGB2Gray(weights=(1, 0, 0), out_channels=2), picture)
    assert gray.dtype == np.float64
    np.testing.assert_array_equal(gray, picture[..., [0, 0]])
    bands = np.repeat(picture, 2, axis=-1)
    two = apply(RGB2Gray(weights=(0, 1, 0, 0, 0, 2)), bands)
    np.testing.assert_array_equal(two[..., 0], bands[..., 1] + 2.0 * bands[..., 5])


def test_bytes_of_floats_lose_their_fraction(picture):
    floats = picture * (254.9 / 255)
    found = apply(AdjustGamma(1.5), floats)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(
        found, apply(AdjustGamma(1.5), floats.astype(np.uint8))
    )


@pytest.mark.parametrize("transform", [CLAHE(), AdjustGamma(2)])
def test_what_is_no_byte_is_refused(picture, transform):
    name = type(transform).__name__
    wide = picture.astype(np.uint16)
    with pytest.raises(ValueError, match=f"a.png: {name} got uint16 from 0 to 255; it"):
        apply(transform, wide)
    for bad in (-1.0, 256.0, np.nan):
        floats = picture.astype(np.float32)
        floats[3, 4] = bad
        with pytest.raises(ValueError, match=f"{name} got float32 from"):
            apply(transform, floats)


def test_one_value_has_no_range(picture):
    with pytest.raises(ValueError, match="a.png: Rerange got an image from 7 to 7"):
        apply(Rerange(), np.full_like(picture, 7))


def test_channels_without_a_weight(picture):
    with pytest.raises(ValueError, match="RGB2Gray has 2 weights, and the image has 3"):
        apply(RGB2Gray(weights=(1, 2)), picture)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: CLAHE(tile_grid_size=(8, 0)), "CLAHE.tile_grid_size is"),
        (lambda: CLAHE(tile_grid_size=(8,)), "CLAHE.tile_grid_size is"),
        (lambda: AdjustGamma(0), "AdjustGamma.gamma is 0; it must be above 0"),
        (lambda: RGB2Gray(out_channels=0), "RGB2Gray.out_channels is 0"),
        (lambda: Rerange(3, 3), "Rerange has min_value=3 and max_value=3"),
    ],
)
def test_fields_that_do_not_fit(make, message):
    with pytest.raises(ValueError, match=message):
        make()

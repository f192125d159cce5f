"""Colours on the device against OpenCV's, which the host's pipeline uses."""

import cv2
import jax
import jax.numpy as jnp
import numpy as np

from input_pipeline.transforms import PhotoMetricDistortion
from input_pipeline.transforms import photometric as host
from jaxseg.ops.photometric import distort, hsv_to_rgb, rgb_to_hsv
from tests.xla_flags import OPTIMIZED


def all_of(*sizes):
    """(n, m, 3) uint8: every combination of three values, the first size[0] and so on."""
    grid = np.stack(np.meshgrid(*map(np.arange, sizes), indexing="ij"), axis=-1)
    return grid.reshape(sizes[0], -1, 3).astype(np.uint8)


def channels(img):
    return (jnp.asarray(img[..., i], jnp.float32) for i in range(3))


def test_to_hsv_is_exact_for_a_third_of_all_colours():
    colors = all_of(256, 256, 256)[::3]
    found = jax.jit(rgb_to_hsv)(*channels(colors))
    expected = cv2.cvtColor(colors, cv2.COLOR_RGB2HSV)
    np.testing.assert_array_equal(np.stack(found, -1).astype(np.uint8), expected)


def test_from_hsv_is_within_a_grey_level_and_mostly_exact():
    hsv = all_of(180, 256, 256)[::5]
    found = np.stack(
        jax.jit(hsv_to_rgb, compiler_options=OPTIMIZED)(*channels(hsv)), -1
    )
    difference = np.abs(found - cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-4


def test_the_draws_of_the_host_give_the_pixels_of_the_host():
    rng = np.random.default_rng(0)
    transform = PhotoMetricDistortion()
    # In the columns beyond a multiple of its vectors' length OpenCV rounds instead.
    images = rng.integers(0, 256, (64, 9, 64, 3), np.uint8)
    drawn = [transform.draw(rng) for _ in images]
    expected = [host.distort(i, d) for i, d in zip(images, drawn, strict=True)]
    packed = np.stack([d.as_array() for d in drawn])
    found = np.asarray(jax.jit(distort, compiler_options=OPTIMIZED)(images, packed))
    assert found.dtype == np.uint8
    difference = np.abs(found.astype(int) - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-4
    assert np.isnan(packed).any(axis=0).tolist() == [True, True, False, True, True]


def test_nothing_drawn_changes_nothing():
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 6, 3), np.uint8)
    nothing = np.stack([host.Distortion().as_array()] * 2)
    np.testing.assert_array_equal(distort(images, nothing), images)

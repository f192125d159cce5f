"""Operations of single heads, beside their definitions pixel by pixel."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.ops.criss_cross import criss_cross_attention
from jaxseg.ops.dynamic_conv import dynamic_depthwise_conv2d
from jaxseg.ops.psa_mask import centred_window, pairs_of_places

RNG = np.random.default_rng(0)


def draw(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def test_a_pixel_sees_its_row_and_its_column_and_itself_once():
    q, k, v = draw(2, 4, 5, 3), draw(2, 4, 5, 3), draw(2, 4, 5, 6)
    found = criss_cross_attention(*map(jnp.asarray, (q, k, v)))
    for n, h, w in np.ndindex(2, 4, 5):
        seen = [(h, j) for j in range(5)] + [(i, w) for i in range(4) if i != h]
        scores = np.exp([q[n, h, w] @ k[n, i, j] for i, j in seen])
        expected = sum(s * v[n, i, j] for s, (i, j) in zip(scores, seen, strict=True))
        np.testing.assert_allclose(
            found[n, h, w], expected / scores.sum(), rtol=2e-5, atol=2e-6
        )


@pytest.mark.parametrize("side", [1, 2, 3, 4])
def test_kernels_of_each_sample(side):
    """mmseg pads (side - 1) // 2 pixels, and above and left one more if it is even."""
    x, kernels = draw(2, 5, 4, 3), draw(2, side, side, 3)
    below = (side - 1) // 2
    pads = (side - 1 - below, below)
    padded = np.pad(x, ((0, 0), pads, pads, (0, 0)))
    found = dynamic_depthwise_conv2d(jnp.asarray(x), jnp.asarray(kernels))
    assert found.shape == x.shape
    for n, h, w in np.ndindex(2, 5, 4):
        part = padded[n, h : h + side, w : w + side]
        expected = (part * kernels[n]).sum((0, 1))
        np.testing.assert_allclose(found[n, h, w], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mask", [(5, 3), (7, 9), (4, 2), (1, 1)])
def test_places_around_a_pixel_are_places_of_the_map(mask):
    """mmcv's PSAMask: 0 for what the mask does not reach."""
    size = 3, 4
    y = draw(1, *size, *mask)
    window = centred_window(jnp.asarray(y), size)
    found = pairs_of_places(window.transpose(0, 1, 3, 2, 4))
    middle = [(side - 1) // 2 for side in mask]
    for h, w, i, j in np.ndindex(*size, *size):
        row, column = i - h + middle[0], j - w + middle[1]
        reached = 0 <= row < mask[0] and 0 <= column < mask[1]
        expected = y[0, h, w, row, column] if reached else 0
        assert found[0, h, i, w, j] == expected

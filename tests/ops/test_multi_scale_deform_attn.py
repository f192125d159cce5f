"""Multi-scale deformable attention equals mmcv's on a CPU, and its gradients.

multi_scale_deform_attn.npz has what mmcv 2.1.0 gave in float64
(make_multi_scale_deform_attn.py).
"""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.ops.multi_scale_deform_attn import multi_scale_deform_attn

STORED = dict(np.load(pathlib.Path(__file__).with_name("multi_scale_deform_attn.npz")))
SIZES = tuple(map(tuple, STORED["sizes"].tolist()))


@pytest.mark.parametrize("bits", [64, 32])
def test_equals_mmcv(bits):
    with jax.enable_x64(bits == 64):
        value, places, weights, g = (
            jnp.asarray(STORED[key], f"float{bits}")
            for key in ("value", "places", "weights", "g")
        )
        y, pull = jax.vjp(
            jax.jit(
                lambda *arrays: multi_scale_deform_attn(arrays[0], SIZES, *arrays[1:])
            ),
            value,
            places,
            weights,
        )
        found = {"y": y.reshape(g.shape)}
        gradients = pull(g.reshape(y.shape))
        names = ("of_value", "of_places", "of_weights")
        found |= dict(zip(names, gradients, strict=True))
    for key, array in found.items():
        expected = STORED[key]
        bound = (1e-12 if bits == 64 else 1e-5) * np.abs(expected).max()
        np.testing.assert_allclose(array, expected, rtol=0, atol=bound, err_msg=key)


def test_pixels_that_many_see_get_the_sum_of_all_gradients_in_bfloat16():
    value = jnp.ones((1, 1, 1, 1), jnp.bfloat16)
    places = jnp.full((1, 1000, 1, 1, 1, 2), 0.5)
    weights = jnp.ones((1, 1000, 1, 1, 1))

    @jax.grad
    def of_value(value):
        seen = multi_scale_deform_attn(value, [(1, 1)], places, weights)
        return seen.astype(jnp.float32).sum()

    assert float(of_value(value)[0, 0, 0, 0]) == 1000

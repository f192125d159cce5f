import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.ops.narrow import spread, times, wide


def test_wide_is_float32_at_least():
    for dtype, expected in (("bfloat16", "float32"), ("float32", "float32")):
        assert wide(jnp.ones(2, dtype)).dtype == expected
    with jax.enable_x64(True):
        assert wide(jnp.ones(2, "float64")).dtype == "float64"


def test_a_factor_is_not_rounded():
    x = jnp.asarray(np.random.default_rng(0).uniform(1, 2, 4096), jnp.bfloat16)
    ratio = wide(times(x, 0.9)) / wide(x)
    assert times(x, 0.9).dtype == x.dtype
    # In bfloat16 the factor is 0.8984.
    assert ratio.mean() == pytest.approx(0.9, abs=1e-4)


def test_the_gradient_of_a_spread_value_is_summed_in_float32():
    x = jnp.zeros((40, 250, 3), jnp.bfloat16)
    bias = jnp.asarray([1, 2.0078125, 3])
    y, pull = jax.vjp(jax.jit(lambda bias: x + spread(bias, x)), bias)
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(y[3, 5], jnp.asarray([1, 2, 3], x.dtype))
    # Summed in bfloat16, the ones would come to 256.
    np.testing.assert_array_equal(pull(jnp.ones_like(y))[0], [10_000] * 3)

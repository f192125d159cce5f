"""Batch normalisation: its own gradient against the one that JAX derives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.ops.batch_norm import batch_norm


def plain(x, scale, bias, eps):
    over = tuple(range(x.ndim - 1))
    mean, var = x.mean(over), x.var(over)
    return (x - mean) / jnp.sqrt(var + eps) * scale + bias, mean, var


def arguments(dtype):
    rng = np.random.default_rng(0)
    x = 3 + 2 * rng.standard_normal((2, 5, 7, 4))
    scale, bias, origin, weight = rng.standard_normal((4, 4))
    weight = rng.standard_normal(x.shape) + weight
    return [jnp.asarray(value, dtype) for value in (x, scale, bias, origin, weight)]


def test_equals_what_jax_derives():
    with jax.enable_x64(True):
        x, scale, bias, origin, weight = arguments("float64")

        def total(function, *args):
            y, mean, var = function(*args)
            # Neither of the statistics has a gradient.
            return (weight * y).sum() + 0 * (mean.sum() + var.sum()), (y, mean, var)

        def ours(x, scale, bias):
            return total(batch_norm, x, scale, bias, origin, 1e-3)

        def derived(x, scale, bias):
            return total(plain, x, scale, bias, 1e-3)

        found, expected = (
            jax.grad(function, argnums=(0, 1, 2), has_aux=True)(x, scale, bias)
            for function in (ours, derived)
        )
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13),
            found,
            expected,
        )


def test_statistics_have_no_gradient():
    x, scale, bias, origin, _ = arguments("float32")

    def statistics(x):
        _, mean, var = batch_norm(x, scale, bias, origin, 1e-5)
        return (mean + var).sum()

    np.testing.assert_array_equal(jax.grad(statistics)(x), 0)


@pytest.mark.parametrize("mean", [0.0, 50.0])
def test_one_pass_of_a_narrow_type_costs_nothing(mean):
    """Against the values that were rounded, in float64."""
    rng = np.random.default_rng(0)
    x = jnp.asarray(mean + rng.standard_normal((4, 64, 64, 3)), jnp.bfloat16)
    ones, zeros = jnp.ones(3), jnp.zeros(3)
    y, found_mean, found_var = batch_norm(x, ones, zeros, zeros, 1e-5)
    exact = np.asarray(x, np.float64)
    np.testing.assert_allclose(
        found_mean, exact.mean((0, 1, 2)), atol=1e-6 * mean + 1e-7
    )
    np.testing.assert_allclose(found_var, exact.var((0, 1, 2)), rtol=2e-3)
    assert y.dtype == jnp.bfloat16
    assert found_mean.dtype == found_var.dtype == jnp.float32


def test_a_backward_pass_of_bfloat16_keeps_no_float32_activation():
    x, scale, bias, origin, _ = arguments("float32")
    x = x.astype(jnp.bfloat16)
    _, pullback = jax.vjp(lambda x: batch_norm(x, scale, bias, origin, 1e-5)[0], x)
    kept = [leaf for leaf in jax.tree.leaves(pullback) if leaf.size >= x.size]
    assert [leaf.dtype for leaf in kept] == [jnp.bfloat16]

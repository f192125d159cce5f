import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.ops.select import kth_smallest, largest_channel


@pytest.mark.parametrize("form", ["cpu", "elsewhere"])
@pytest.mark.parametrize("share", [0.02, 0.5, 1.0])
def test_equals_a_sort(share, form, request):
    if form == "elsewhere":
        request.getfixturevalue(form)
    rng = np.random.default_rng(0)
    # Many ties, zeros, values of every size, and the smallest that float32 has.
    values = np.round(10.0 ** rng.uniform(-42, 3, (7, 11, 5)), 3).astype(np.float32)
    values[0, 0, :2] = 1e-45
    mask = rng.random(values.shape) < share
    ordered = np.sort(values[mask])
    find = jax.jit(lambda *args: kth_smallest(*args))
    for k in sorted({0, 1, len(ordered) // 2, len(ordered) - 1}):
        assert find(values, mask, k) == ordered[k], k


def test_a_double_is_found_to_its_last_bit():
    with jax.enable_x64(True):
        values = 1 + np.arange(6) * 2.0**-52
        found = jax.jit(kth_smallest)(values[::-1], np.ones(6, bool), 4)
        assert float(found) == values[4]


def test_minus_zero_counts_as_zero():
    values = jnp.array([0.5, -0.0, 0.0, 2.0])
    mask = jnp.ones(4, bool)
    assert [float(kth_smallest(values, mask, k)) for k in range(4)] == [0, 0, 0.5, 2]


def test_infinity_is_the_largest():
    values = jnp.array([jnp.inf, 1.0, 3.0])
    assert kth_smallest(values, jnp.array([True, True, False]), 1) == jnp.inf


@pytest.mark.parametrize("channels", [3, 150])
def test_the_largest_channel_is_the_first_of_equal_ones(channels):
    values = np.random.default_rng(0).integers(-9, 9, (50, channels)) / 4
    values[0], values[1] = -np.inf, np.inf
    found = jax.jit(largest_channel)(values.astype(np.float32))
    np.testing.assert_array_equal(found, values.argmax(-1))

import jax
import jax.numpy as jnp
import jax.test_util
import numpy as np
import pytest
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

from jaxseg.ops.pool import (
    adaptive_avg_pool,
    adaptive_max_pool,
    avg_pool,
    max_pool,
    mean_around,
    window_mean,
)

LARGE = [[(7 * i + 3 * j * j) % 11 for j in range(5)] for i in range(3)]


def test_adaptive_windows_overlap_as_in_torch():
    x = jnp.asarray(LARGE, jnp.float32)[None, :, :, None]
    y = adaptive_avg_pool(x, (2, 3))
    # F.adaptive_avg_pool2d of torch 2.13.
    expected = [[5.0, 4.6666667, 2.5], [6.5, 6.1666667, 4.0]]
    np.testing.assert_allclose(y[0, :, :, 0], expected, rtol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 3), (6, 6), (7, 11)])
def test_adaptive_pooling_is_the_mean_of_each_window(size):
    x = np.random.default_rng(0).standard_normal((2, 7, 11, 3)).astype(np.float32)
    y = adaptive_avg_pool(jnp.asarray(x), size)
    for i in range(size[0]):
        for j in range(size[1]):
            # torch's windows: from floor(i H / S) to ceil((i + 1) H / S).
            top, bottom = i * 7 // size[0], -(-(i + 1) * 7 // size[0])
            left, right = j * 11 // size[1], -(-(j + 1) * 11 // size[1])
            mean = x[:, top:bottom, left:right].mean((1, 2))
            np.testing.assert_allclose(y[:, i, j], mean, rtol=1e-5, atol=1e-6)


def test_avg_pool_counts_what_a_border_cell_has():
    x = jnp.arange(15.0).reshape(1, 3, 5, 1)
    # By hand: the last column and row of cells hold 2 x 1, 1 x 2 and 1 x 1 values.
    expected = [[3, 5, 6.5], [10.5, 12.5, 14]]
    np.testing.assert_allclose(avg_pool(x, 2)[0, :, :, 0], expected)
    np.testing.assert_array_equal(avg_pool(x, 1), x)


@pytest.mark.parametrize("window", [2, 3, 8])
def test_gradient_of_avg_pool_is_spread_over_the_cell(window):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 5, 7, 3), np.float32)
    y, pull = jax.vjp(lambda x: avg_pool(x, window), x)
    g = rng.standard_normal(y.shape, np.float32)
    expected = np.zeros_like(x)
    for i in range(5):
        for j in range(7):
            row, column = i // window, j // window
            cell = x[:, row * window :, column * window :][:, :window, :window]
            pixels = cell.shape[1] * cell.shape[2]
            expected[:, i, j] = g[:, row, column] / pixels
    np.testing.assert_allclose(pull(g)[0], expected, rtol=1e-6)


def test_max_pool_pads_with_nothing_and_keeps_negative_values():
    x = -jnp.arange(1.0, 17).reshape(1, 4, 4, 1)
    y = max_pool(x, 3, 2, 1)
    np.testing.assert_array_equal(y[0, :, :, 0], [[-1, -2], [-5, -6]])
    np.testing.assert_array_equal(max_pool(x, 2, 2)[0, :, :, 0], [[-1, -3], [-9, -11]])


@pytest.mark.parametrize("pads", [0, 1])
def test_of_equal_maxima_the_first_gets_the_gradient(pads):
    x = jnp.zeros((1, 3, 3, 1))
    gradient = jax.grad(lambda x: max_pool(x, 3, 3, pads).sum())(x)
    # One window without padding; with it the 5 x 5 hold one whole window, which
    # begins in the padding and whose first pixel is (0, 0).
    expected = np.zeros((3, 3))
    expected[0, 0] = 1
    np.testing.assert_array_equal(gradient[0, :, :, 0], expected)


# Window, stride, padding, (H, W).
_MAX_POOLS = [
    (3, 2, 1, (9, 12)),
    (2, 2, 0, (8, 7)),
    (3, 1, 1, (5, 6)),
    (2, 3, 0, (8, 9)),
    (5, 3, 2, (11, 10)),
]


@pytest.mark.parametrize("window, stride, padding, size", _MAX_POOLS)
def test_max_pool_and_its_gradient_are_those_of_numpy_with_ties(
    window, stride, padding, size
):
    rng = np.random.default_rng(0)
    # Of three values: most windows have several maxima.
    x = rng.integers(-1, 2, (2, *size, 3)).astype(np.float32)
    pads = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    padded = np.pad(x, pads, constant_values=-np.inf)
    y, pull = jax.vjp(jax.jit(lambda x: max_pool(x, window, stride, padding)), x)
    g = rng.integers(1, 100, y.shape).astype(np.float32)
    expected, gradient = np.zeros_like(y), np.zeros_like(padded)
    for n, i, j, c in np.ndindex(*y.shape):
        top, left = i * stride, j * stride
        seen = padded[n, top : top + window, left : left + window, c]
        expected[n, i, j, c] = seen.max()
        # argmax is the first of equal ones, row by row, as in torch.
        row, column = np.unravel_index(seen.argmax(), seen.shape)
        gradient[n, top + row, left + column, c] += g[n, i, j, c]
    height, width = size
    gradient = gradient[:, padding : padding + height, padding : padding + width]
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(pull(jnp.asarray(g))[0], gradient)


def test_max_pool_gives_nan_where_it_sees_one():
    x = jnp.zeros((1, 4, 4, 1)).at[0, 1, 1, 0].set(jnp.nan)
    y, pull = jax.vjp(lambda x: max_pool(x, 2, 2), x)
    np.testing.assert_array_equal(
        jnp.isnan(y)[0, :, :, 0], [[True, False], [False] * 2]
    )
    assert pull(jnp.ones_like(y))[0][0, 1, 1, 0] == 1


def test_max_pool_under_shard_map_is_that_of_each_device():
    x = np.random.default_rng(0).integers(0, 3, (4, 6, 6, 2)).astype(np.float32)
    mesh = jax.make_mesh((2,), ("data",), axis_types=(AxisType.Auto,))

    def gradient(x):
        return jax.grad(lambda x: jnp.square(max_pool(x, 3, 2, 1)).sum())(x)

    split = jax.shard_map(gradient, mesh=mesh, in_specs=P("data"), out_specs=P("data"))
    np.testing.assert_array_equal(jax.jit(split)(x), jax.jit(gradient)(x))


def test_elsewhere_than_on_a_cpu_xlas_own_forms_give_the_same(request):
    x = jax.random.normal(jax.random.key(0), (2, 9, 12, 3))

    def pools(x):
        return max_pool(x, 3, 2, 1), adaptive_avg_pool(x, (3, 2))

    ours = pools(x)
    request.getfixturevalue("elsewhere")
    assert "reduce_window_max" in str(jax.make_jaxpr(lambda x: pools(x))(x))
    for mine, theirs in zip(ours, pools(x), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)


@pytest.mark.parametrize(
    "pool",
    [
        lambda x: adaptive_avg_pool(x, (3, 2)),
        lambda x: avg_pool(x, 2),
        lambda x: max_pool(x, 3, 2, 1),
    ],
)
def test_gradient_equals_finite_differences(pool):
    x = jax.random.normal(jax.random.key(0), (1, 5, 7, 2))
    jax.test_util.check_grads(pool, (x,), order=1, modes=["rev"], rtol=1e-2)


def test_types_are_kept():
    x = jnp.ones((1, 4, 4, 1), jnp.bfloat16)
    for y in (adaptive_avg_pool(x, (2, 2)), avg_pool(x, 2), max_pool(x, 2, 2)):
        assert y.dtype == jnp.bfloat16


def test_means_over_windows_count_the_zeros_of_the_padding():
    x = np.arange(60, dtype=np.float64).reshape(1, 6, 10, 1) ** 1.1
    y = window_mean(jnp.asarray(x, jnp.float32), 5, 2, 2)
    # torch 2.13's avg_pool2d(x, 5, 2, 2).
    expected = [
        [5.22105369, 9.51790291, 11.170137, 12.86812991, 11.32789521],
        [17.5981358, 30.77747092, 33.69469361, 36.6642884, 31.130652],
        [24.8622529, 42.6947747, 45.21611470, 47.7515569, 39.7285945],
    ]
    np.testing.assert_allclose(y[0, :, :, 0], expected, rtol=1e-6)


@pytest.mark.parametrize(("window", "stride"), [(3, 2), (4, 3)])
def test_means_over_small_and_large_windows(window, stride):
    x = np.random.default_rng(0).standard_normal((2, 9, 8, 3)).astype(np.float32)
    y = window_mean(jnp.asarray(x), window, stride, 1)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    for i in range(y.shape[1]):
        for j in range(y.shape[2]):
            part = padded[:, stride * i :, stride * j :][:, :window, :window]
            assert part.shape[1:3] == (window, window)
            np.testing.assert_allclose(y[:, i, j], part.mean((1, 2)), atol=1e-6)


def test_windows_may_have_two_strides():
    x = np.random.default_rng(0).standard_normal((1, 9, 11, 2)).astype(np.float32)
    y = window_mean(jnp.asarray(x), 4, (2, 5), 0)
    expected = [
        [x[0, i : i + 4, j : j + 4].mean((0, 1)) for j in (0, 5)] for i in (0, 2, 4)
    ]
    np.testing.assert_allclose(y[0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("window", [3, 5])
def test_the_mean_around_a_pixel_counts_what_is_there(window):
    x = np.random.default_rng(0).standard_normal((2, 6, 4, 3)).astype(np.float32)
    found, half = mean_around(jnp.asarray(x), window), window // 2
    for i, j in ((0, 0), (2, 1), (5, 3), (0, 2)):
        rows = slice(max(i - half, 0), i + half + 1)
        columns = slice(max(j - half, 0), j + half + 1)
        expected = x[:, rows, columns].mean((1, 2))
        np.testing.assert_allclose(found[:, i, j], expected, rtol=0, atol=1e-6)


def test_adaptive_max_pool_has_torchs_cells():
    x = np.random.default_rng(0).standard_normal((2, 7, 5, 3)).astype(np.float32)
    found = adaptive_max_pool(x, (3, 4))
    rows, columns = ((0, 3), (2, 5), (4, 7)), ((0, 2), (1, 3), (2, 4), (3, 5))
    for i, (top, bottom) in enumerate(rows):
        for j, (left, right) in enumerate(columns):
            cell = x[:, top:bottom, left:right].max((1, 2))
            np.testing.assert_array_equal(found[:, i, j], cell)

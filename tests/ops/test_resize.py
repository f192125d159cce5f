import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.ops.resize import resize

SMALL = [[1.0, -2.0, 4.0], [0.0, 3.0, 0.5]]
LARGE = [[(7 * i + 3 * j * j) % 11 for j in range(5)] for i in range(3)]


def image(rows, dtype="float32"):
    return jnp.asarray(rows, dtype)[None, :, :, None]


# The values are those of torch 2.13's F.interpolate in float64.
@pytest.mark.parametrize(
    ("mode", "align_corners", "expected"),
    [
        (
            "bilinear",
            False,
            [
                [1.0, -0.2, -2.0, 1.6, 4.0],
                [0.5, 0.5, 0.5, 1.55, 2.25],
                [0.0, 1.2, 3.0, 1.5, 0.5],
            ],
        ),
        (
            "bilinear",
            True,
            [
                [1.0, -0.5, -2.0, 1.0, 4.0],
                [0.5, 0.5, 0.5, 1.375, 2.25],
                [0.0, 1.5, 3.0, 1.75, 0.5],
            ],
        ),
        (
            "bicubic",
            False,
            [
                [1.4248056, -0.7644028, -2.4340278, 1.4360347, 4.9506528],
                [0.5, 0.374, 0.5, 1.571, 2.418],
                [-0.4248056, 1.5124028, 3.4340278, 1.7059653, -0.1146528],
            ],
        ),
        (
            "bicubic",
            True,
            [
                [1.0, -1.0625, -2.0, 0.71875, 4.0],
                [0.5, 0.3359375, 0.5, 1.375, 2.25],
                [0.0, 1.734375, 3.0, 2.03125, 0.5],
            ],
        ),
        (
            "nearest",
            False,
            [
                [1.0, 1.0, -2.0, -2.0, 4.0],
                [1.0, 1.0, -2.0, -2.0, 4.0],
                [0.0, 0.0, 3.0, 3.0, 0.5],
            ],
        ),
    ],
)
def test_enlarging_equals_torch(mode, align_corners, expected):
    y = resize(image(SMALL), (3, 5), mode=mode, align_corners=align_corners)
    np.testing.assert_allclose(y[0, :, :, 0], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("align_corners", "expected"),
    [
        (False, [[2.75, 2.75, 3.3333333], [5.0, 5.0, 5.5833333]]),
        (True, [[0.0, 1.0, 4.0], [3.0, 4.0, 7.0]]),
    ],
)
def test_shrinking_does_not_average_as_in_torch(align_corners, expected):
    y = resize(image(LARGE), (2, 3), align_corners=align_corners)
    np.testing.assert_allclose(y[0, :, :, 0], expected, rtol=1e-6)


# The values are those of torch 2.13's F.interpolate: the sizes 3 x 5 times the factor
# are rounded down, and it is the factor that places the samples.
@pytest.mark.parametrize(
    ("factor", "mode", "expected"),
    [
        (0.5, "bilinear", [[5.0, 3.75]]),
        (
            0.7,
            "bicubic",
            [[2.0646866, 3.1276523, 4.0667967], [5.4182762, 6.7064463, 5.2919734]],
        ),
        (
            1.5,
            "bilinear",
            [
                [0.0, 1.5, 2.6666667, 1.3333333, 3.0, 4.8333333, 4.1666667],
                [3.5, 5.0, 6.1666667, 4.8333333, 3.75, 2.8333333, 2.1666667],
                [6.3333333, 7.8333333, 9.0, 7.6666667, 4.75, 2.0, 1.3333333],
                [3.6666667, 5.1666667, 6.3333333, 5.0, 5.75, 6.6666667, 6.0],
            ],
        ),
        (
            1.5,
            "nearest",
            [
                [0, 0, 3, 1, 1, 5, 4],
                [0, 0, 3, 1, 1, 5, 4],
                [7, 7, 10, 8, 8, 1, 0],
                [3, 3, 6, 4, 4, 8, 7],
            ],
        ),
    ],
)
def test_a_scale_factor_equals_torch(factor, mode, expected):
    y = resize(image(LARGE), scale_factor=factor, mode=mode)
    np.testing.assert_allclose(y[0, :, :, 0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("mode", "align_corners"),
    [("bilinear", False), ("bilinear", True), ("bicubic", False), ("nearest", False)],
)
# Larger, smaller, from a single value, to one, and with more taps in the backward
# pass than are written out one by one.
@pytest.mark.parametrize(
    ("before", "after"),
    [((4, 5), (9, 7)), ((9, 7), (4, 5)), ((1, 3), (4, 4)), ((4, 2), (1, 90))],
)
def test_gradient_equals_that_of_a_dense_matrix(mode, align_corners, before, after):
    def matrix(length, new_length):
        unit = jnp.eye(length)[:, :, None, None]  # a column a sample
        size = (new_length, 1)
        return resize(unit, size, mode=mode, align_corners=align_corners)[:, :, 0, 0].T

    rows, columns = map(matrix, before, after)
    rng = np.random.default_rng(0)
    x, weight = (
        jnp.asarray(rng.standard_normal((2, *size, 3)), jnp.float32)
        for size in (before, after)
    )

    def dense(x):
        return jnp.einsum("ph,qw,nhwc->npqc", rows, columns, x)

    def ours(x):
        return resize(x, after, mode=mode, align_corners=align_corners)

    np.testing.assert_allclose(ours(x), dense(x), atol=2e-5)
    expected = jax.grad(lambda x: (weight * dense(x)).sum())(x)
    found = jax.jit(jax.grad(lambda x: (weight * ours(x)).sum()))(x)
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_a_narrow_type_is_widened_inside():
    x = jax.random.normal(jax.random.key(0), (1, 5, 6, 2), jnp.bfloat16)
    y = resize(x, (11, 13))
    assert y.dtype == jnp.bfloat16
    wide = resize(x.astype(jnp.float32), (11, 13))
    np.testing.assert_array_equal(y, wide.astype(jnp.bfloat16))


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize("after", [(7, 13), (3, 4), (1, 40)])
def test_on_a_tpu_products_give_the_same(request, mode, after):
    x = jax.random.normal(jax.random.key(0), (2, 5, 6, 3))
    g = jax.random.normal(jax.random.key(1), (2, *after, 3))

    def both(x):
        y, pull = jax.vjp(lambda x: resize(x, after, mode=mode), x)
        return y, pull(g)[0]

    gathered = both(x)
    request.getfixturevalue("tpu")
    text = str(jax.make_jaxpr(lambda x: both(x))(x))
    assert "precision=(Precision.HIGHEST, Precision.HIGHEST)" in text
    assert "gather" not in text
    for one, other in zip(both(x), gathered, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_the_same_size_changes_nothing():
    x = image(LARGE)
    assert resize(x, (3, 5), mode="bicubic") is x


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(size=(2, 2), mode="area"), "resize mode is 'area', allowed: bilinear"),
        (dict(size=(2, 2), scale_factor=2), "one of size and scale_factor"),
        (dict(), "one of size and scale_factor"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        resize(image(SMALL), **arguments)

"""Operations on bands of rows give what they give on the whole."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from jaxseg.ops.attention import attention
from jaxseg.ops.bands.split_rows import CannotSplit, SplitRows, rows_over
from jaxseg.ops.context import (
    count_of_pixels,
    global_max,
    global_mean,
    group_norm,
    pixel_attention,
    pixel_product,
    spatial_softmax,
)
from jaxseg.ops.conv import conv2d, conv_transpose2d
from jaxseg.ops.pool import adaptive_avg_pool, avg_pool, max_pool
from jaxseg.ops.resize import resize, upsample

BANDS, HEIGHT, WIDTH = 4, 32, 24
ROWS = P(None, "rows")


def numbers(*shape):
    return np.random.default_rng([7, *shape]).standard_normal(shape).astype(np.float32)


X = numbers(2, HEIGHT, WIDTH, 6)


def kernel(rows, columns, inputs=6, features=6):
    return numbers(rows, columns, inputs, features)


def split_over_bands(run, out_specs=ROWS):
    """The jitted function that runs on every band of its argument."""
    mesh = Mesh(np.array(jax.devices()[:BANDS]), ("rows",))
    bands = SplitRows("rows", BANDS, X.shape[1:3])

    def run_band(x):
        with rows_over(bands):
            return run(x)

    mapped = jax.shard_map(run_band, mesh=mesh, in_specs=ROWS, out_specs=out_specs)
    return jax.jit(mapped)


def on_bands(run, out_specs=ROWS):
    """What `run` makes of X, put together from the bands."""
    return split_over_bands(run, out_specs)(X)


SAME_SHAPE = {
    "3x3": lambda x: conv2d(x, kernel(3, 3), padding=1),
    "1x1": lambda x: conv2d(x, kernel(1, 1)),
    "1x1 strided": lambda x: conv2d(x, kernel(1, 1), 2),
    "3x3 strided": lambda x: conv2d(x, kernel(3, 3), 2, 1),
    "7x7 strided": lambda x: conv2d(x, kernel(7, 7), 2, 3),
    "patches": lambda x: conv2d(x, kernel(4, 4), 4),
    "1x5": lambda x: conv2d(x, kernel(1, 5), padding=(0, 2)),
    # Rows of the bands beyond the next ones, and beyond the image.
    "dilated by more than a band": lambda x: conv2d(x, kernel(3, 3), 1, 12, 12),
    "dilated by more than all": lambda x: conv2d(x, kernel(3, 3), 1, 40, 40),
    "depthwise": lambda x: conv2d(x, kernel(3, 3, 1), 1, 1, 1, 6),
    "grouped": lambda x: conv2d(x, kernel(3, 3, 3), 2, 1, 1, 2),
    "transposed 2x2": lambda x: conv_transpose2d(x, kernel(2, 2), 2, 0),
    "transposed 4x4": lambda x: conv_transpose2d(x, kernel(4, 4), 2, 1),
    "transposed 3x3 and a row": lambda x: conv_transpose2d(x, kernel(3, 3), 2, 1, 1),
    "transposed 3x3": lambda x: conv_transpose2d(x, kernel(3, 3), 1, 1),
    "max": lambda x: max_pool(x - 5, 3, 2, 1),
    "average": lambda x: avg_pool(x, 2),
    "global gate": lambda x: x * conv2d(global_mean(x), kernel(1, 1)),
    "gate of the largest": lambda x: x * conv2d(global_max(x), kernel(1, 1)),
    "group_norm": lambda x: group_norm(x, 2, 1e-5),
    "spatial softmax": lambda x: spatial_softmax(x) * 50,
    "pixel product": lambda x: x @ pixel_product(jnp.tanh(x), x)[:, None] / 50,
    "dot product": lambda x: x / count_of_pixels(x),
    "non-local": lambda x: x + pixel_attention(x, x, jnp.sin(x)),
    "attention of heads": lambda x: pixel_attention(x, jnp.cos(x), x, heads=2),
    "non-local, of what is whole": lambda x: pixel_attention(
        x, adaptive_avg_pool(x, (3, 3)), adaptive_avg_pool(x, (3, 3)), scale=1
    ),
}


@pytest.mark.parametrize("name", SAME_SHAPE)
def test_windows(name):
    run = SAME_SHAPE[name]
    np.testing.assert_allclose(on_bands(run), run(X), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", [(64, 48), (128, 90), (16, 12), (32, 24)])
def test_resizes(mode, align_corners, size):
    def run(x, bands=1):
        to = (size[0] // bands, size[1])
        return resize(x, to, mode=mode, align_corners=align_corners)

    got = on_bands(functools.partial(run, bands=BANDS))
    np.testing.assert_allclose(got, run(X), rtol=1e-6, atol=1e-6)


def test_a_resize_by_a_factor():
    run = functools.partial(upsample, factor=2.0, mode="bilinear")
    np.testing.assert_allclose(on_bands(run), run(X), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("size", [1, 3, 8])
def test_a_pooled_map_is_whole_and_is_resized_to_bands(size):
    def pool(x):
        return adaptive_avg_pool(x, (size, size))

    whole = on_bands(pool, out_specs=P())  # only of what is the same on all devices
    np.testing.assert_allclose(whole, pool(X), rtol=1e-5, atol=1e-6)

    def back(x):
        return resize(conv2d(pool(x), kernel(1, 1)), x.shape[1:3])

    np.testing.assert_allclose(on_bands(back), back(X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (lambda x: conv2d(x, kernel(3, 3)), "make 30 rows of 32"),
        (lambda x: conv2d(x, kernel(3, 3), 16, 1), "over 4 devices"),
        (lambda x: max_pool(x, 3, 3), "windows of 3x3 with stride 3"),
        (lambda x: avg_pool(x, 3), "average pooling of 3x3"),
        (lambda x: conv_transpose2d(x, kernel(3, 3), 2, 1), "no 2 rows of one"),
        (lambda x: resize(x, (8, 8)), "resize to 8x8, which is not the shape"),
        (lambda x: upsample(x, 1.3), "resize of 32 rows by 1.3"),
        (
            lambda x: attention(*[x.reshape(2, -1, 2, 3)] * 3).reshape(x.shape),
            "every pixel sees all others",
        ),
    ],
)
def test_what_cannot_be_split_is_refused(run, words):
    with pytest.raises(CannotSplit, match=words):
        on_bands(run)


def test_no_band_is_gathered():
    def run(x):
        y = conv2d(x, kernel(3, 3), 1, 2, 2)
        return resize(max_pool(y, 3, 2, 1), x.shape[1:3])

    text = split_over_bands(run).lower(jnp.asarray(X)).compile().as_text()
    assert "collective-permute" in text
    assert not any(kind in text for kind in ("all-gather", "all-to-all", "all-reduce"))

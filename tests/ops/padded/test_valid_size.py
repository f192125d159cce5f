"""Operations on padded maps: each sample gets what its valid part gets alone.

The padding is NaN: whatever sees it shows it.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.layers.embed import adaptive_pad
from jaxseg.layers.position import positions_of_image
from jaxseg.ops.attention import attention
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
from jaxseg.ops.padded.valid_size import (
    NoMaskedForm,
    ValidSizes,
    in_bucket,
    maps_apart,
)
from jaxseg.ops.pool import adaptive_avg_pool, avg_pool, max_pool
from jaxseg.ops.resize import resize, upsample

BUCKET = (21, 29)
# Even and odd, on both sides of the strides.
SIZES = [(14, 20), (9, 17)]
CHANNELS = 4


def kernel(side, inputs=CHANNELS):
    shape = (side, side, inputs, CHANNELS)
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def over_fewer_keys(x):
    x = max_pool(x, 2, 1)  # (20, 28) in the bucket
    with maps_apart(x):
        keys = conv2d(x, kernel(2), 2)  # (10, 14); of 13 rows 6
        x = pixel_attention(x, keys, keys)
    return max_pool(x, 3, 2, 1)  # (10, 14), too; of 13 rows 7


OPERATIONS = {
    "conv 3x3": lambda x: conv2d(x, kernel(3), 1, 1),
    "conv 3x3 stride 2": lambda x: conv2d(x, kernel(3), 2, 1),
    "conv 7x7 stride 2": lambda x: conv2d(x, kernel(7), 2, 3),
    "conv 3x3 dilated": lambda x: conv2d(x, kernel(3), 1, 4, 4),
    "conv 1x1 stride 2": lambda x: conv2d(x, kernel(1), 2),
    "conv depthwise": lambda x: conv2d(x, kernel(3, 1), 1, 1, 1, CHANNELS),
    "conv of two groups": lambda x: conv2d(x, kernel(3, 2), 1, 1, 1, 2),
    "transposed conv": lambda x: conv_transpose2d(x, kernel(4), 2, 1),
    "transposed conv and a row": lambda x: conv_transpose2d(x, kernel(3), 2, 1, 1),
    "max_pool": lambda x: max_pool(x, 3, 2, 1),
    "max_pool 1x1": lambda x: max_pool(x, 1, 2),
    "avg_pool": lambda x: avg_pool(x, 2),
    "adaptive_avg_pool": lambda x: adaptive_avg_pool(x, (3, 2)),
    "resize up": lambda x: resize(resize(max_pool(x, 3, 2, 1), x.shape[1:3]), None,
                                  scale_factor=2),
    "resize align_corners": lambda x: resize(
        max_pool(x, 3, 2, 1), x.shape[1:3], align_corners=True
    ),
    "resize nearest": lambda x: resize(
        max_pool(x, 3, 2, 1), x.shape[1:3], mode="nearest"
    ),
    "resize by half": lambda x: resize(x, scale_factor=0.5, mode="bicubic"),
    "resize of one cell": lambda x: resize(adaptive_avg_pool(x, (1, 1)), x.shape[1:3]),
    "upsample": lambda x: upsample(x, 1.5, mode="bilinear"),
    "global gate": lambda x: x * conv2d(global_mean(x), kernel(1)),
    "gate of the largest": lambda x: x * conv2d(global_max(x), kernel(1)),
    "group_norm": lambda x: group_norm(x, 2, 1e-5),
    "spatial softmax": lambda x: spatial_softmax(x) * 50,
    "pixel product": lambda x: x @ pixel_product(jnp.tanh(x), x)[:, None] / 50,
    "dot product": lambda x: x / count_of_pixels(x),
    "non-local": lambda x: x + pixel_attention(x, x, jnp.sin(x)),
    "attention of heads": lambda x: pixel_attention(x, jnp.cos(x), x, heads=2),
    "attention over fewer keys": over_fewer_keys,
    "non-local, sampled": lambda x: pixel_attention(
        x, max_pool(x, 2, 2), max_pool(2 * x, 2, 2), scale=1
    ),
    "adaptive_pad": lambda x: conv2d(adaptive_pad(x, 4, 4, "corner"), kernel(4), 4),
}  # fmt: skip


def images():
    rng = np.random.default_rng(0)
    alone = [rng.standard_normal((1, *s, CHANNELS)).astype(np.float32) for s in SIZES]
    padded = np.full((len(SIZES), *BUCKET, CHANNELS), np.nan, np.float32)
    for place, image in zip(padded, alone, strict=True):
        place[: image.shape[1], : image.shape[2]] = image[0]
    return alone, padded


def run_in_bucket(operation, padded, sizes):
    """The operation in a bucket, and what the bucket knows then."""
    bucket = ValidSizes(BUCKET)
    with bucket.tracing(len(padded)):
        jax.eval_shape(operation, padded)

    @jax.jit
    def run(padded, arrays):
        with bucket.tracing(len(padded), arrays):
            return operation(padded)

    return np.asarray(run(padded, bucket.arrays(sizes))), bucket


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_sample_gets_what_it_gets_alone(name):
    operation = OPERATIONS[name]
    alone, padded = images()
    found, bucket = run_in_bucket(operation, padded, SIZES)
    for one, image, size in zip(found, alone, SIZES, strict=True):
        expected = np.asarray(jax.jit(operation)(image))[0]
        shape = tuple(
            bucket.length_at(axis, one.shape[axis], size[axis]) for axis in (0, 1)
        )
        assert shape == expected.shape[:2]
        assert bucket.takes(size)
        one = one[: shape[0], : shape[1]]
        np.testing.assert_allclose(one, expected, rtol=2e-6, atol=2e-6)


def test_resizes_are_equal_to_the_bit():
    alone, padded = images()

    def operation(x):
        return resize(x, scale_factor=1.7)

    found, _ = run_in_bucket(operation, padded, SIZES)
    for one, image in zip(found, alone, strict=True):
        expected = np.asarray(jax.jit(operation)(image))[0]
        height, width = expected.shape[:2]
        np.testing.assert_array_equal(one[:height, :width], expected)


@pytest.mark.parametrize("before", [0, 1, 5])
def test_attention_looks_at_valid_tokens(before):
    alone, padded = images()

    def operation(x):
        x = max_pool(x, 3, 4, 1)
        n, h, w, c = x.shape
        if (sizes := in_bucket()) is not None:
            sizes.set_grid((h, w), before)
        first = jnp.ones((n, before, c))
        x = jnp.concatenate([first, x.reshape(n, h * w, c)], axis=1)
        q = x.reshape(n, -1, 2, c // 2)
        y = attention(q, q + 1, q * 2).reshape(n, -1, c)
        return y[:, before:].reshape(n, h, w, c)

    found, _ = run_in_bucket(operation, padded, SIZES)
    for one, image in zip(found, alone, strict=True):
        expected = np.asarray(jax.jit(operation)(image))[0]
        height, width = expected.shape[:2]
        np.testing.assert_allclose(one[:height, :width], expected, rtol=2e-6)


def test_positions_are_resized_to_the_valid_grid():
    """Also where an image has as many tokens as the table, in another shape."""
    sizes = [(8, 8), (4, 16), (8, 12), (3, 5)]
    table = jax.random.normal(jax.random.key(0), (1, 1 + 64, 3))
    bucket = ValidSizes((8, 16))
    args = (table, (8, 8), (8, 16), "bicubic")
    with bucket.tracing(len(sizes)):
        positions_of_image(*args)
    with bucket.tracing(len(sizes), bucket.arrays(sizes)):
        found = np.asarray(positions_of_image(*args))
    for one, (height, width) in zip(found, sizes, strict=True):
        expected = np.asarray(
            positions_of_image(table, (8, 8), (height, width), "bicubic")
        )
        tokens = one[1:].reshape(8, 16, 3)[:height, :width].reshape(-1, 3)
        np.testing.assert_array_equal(tokens, expected[0, 1:])
        np.testing.assert_array_equal(one[0], expected[0, 0])


def test_maps_that_are_equally_long_only_in_the_bucket():
    """32 halved and doubled is 32; of 31, rounding up makes 32 where 31 was."""

    def operation(x):
        return x + upsample(max_pool(x, 3, 2, 1), 2)

    bucket = ValidSizes((32, 32))
    with bucket.tracing(1):
        jax.eval_shape(operation, jnp.zeros((1, 32, 32, 1)))
    assert bucket.takes((32, 18))
    assert not bucket.takes((31, 32))
    assert not bucket.takes((32, 34))


def test_what_cannot_be_told_is_named():
    def mean_and_conv(x):
        return conv2d(x[:, ::3, ::3], kernel(3), 1, 1)

    with ValidSizes(BUCKET).tracing(1):
        with pytest.raises(NoMaskedForm, match="map of height 7, which no operation"):
            mean_and_conv(jnp.zeros((1, *BUCKET, CHANNELS)))
        with pytest.raises(NoMaskedForm, match="attention over 12 tokens"):
            attention(*[jnp.zeros((1, 12, 1, 4))] * 3)
        with pytest.raises(NoMaskedForm, match="moves an image by half its padding"):
            adaptive_pad(jnp.zeros((1, *BUCKET, 3)), 4, 4, "same")

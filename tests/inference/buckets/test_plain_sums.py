"""Who opts into padding and adds up pixels without `ops/context` is found."""

import jax
import jax.numpy as jnp
import pytest

from jaxseg.inference.buckets.plain_sums import find_plain_sum
from jaxseg.ops.context import (
    global_mean,
    group_norm,
    pixel_attention,
    pixel_product,
    spatial_softmax,
)
from jaxseg.ops.conv import conv2d
from jaxseg.ops.padded.valid_size import ValidSizes
from jaxseg.ops.pool import adaptive_avg_pool, max_pool
from jaxseg.ops.resize import resize

BUCKET = (24, 40)
KERNEL = jnp.ones((3, 3, 6, 6))


def found_in(function):
    sizes = ValidSizes(BUCKET)

    def run(x):
        # Half the bucket's size.
        return function(max_pool(conv2d(x, KERNEL, padding=1), 3, 2, 1))

    with sizes.tracing(2):
        traced = jax.make_jaxpr(run)(jnp.zeros((2, *BUCKET, 6)))
    return find_plain_sum(traced, sizes)


def attention_of_tokens(x):
    tokens = x.reshape(2, -1, 6)
    scores = jax.nn.softmax(tokens @ tokens.swapaxes(1, 2))
    return scores @ tokens


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (lambda x: x * x.mean((1, 2), keepdims=True), "reduce_sum"),
        (lambda x: x.max((1, 2)), "reduce_max"),
        (lambda x: x.sum(1), "reduce_sum"),
        (lambda x: jax.nn.softmax(x.reshape(2, -1, 6), axis=1), "reduce_max"),
        (lambda x: x.reshape(2, -1, 2, 3).var((1, 3)), "reduce_sum"),
        (lambda x: jnp.einsum("nhwk,nhwc->nkc", x, x), "dot_general"),
        (attention_of_tokens, "dot_general"),
        (jax.jit(lambda x: x.mean((1, 2))), "reduce_sum"),
        (jax.checkpoint(lambda x: jnp.sort(x, axis=2)), "sort"),
    ],
)
def test_a_plain_sum_is_found_with_its_line(function, name):
    found = found_in(function)
    assert found.startswith(f"{name} over the pixels at {__file__}:")


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * global_mean(x),
        lambda x: group_norm(x, 2, 1e-5),
        lambda x: pixel_product(spatial_softmax(x), x),
        lambda x: pixel_attention(x, x, x),
        lambda x: resize(adaptive_avg_pool(x, (3, 3)), x.shape[1:3]),
        # Over the channels.
        lambda x: jax.nn.softmax(x @ jnp.ones((6, 7))) * x.mean(-1, keepdims=True),
        jax.checkpoint(lambda x: jax.jit(global_mean)(x)),
    ],
)
def test_what_knows_of_padding_is_not(function):
    assert found_in(function) is None

"""The reading of traced programs that finds digits lost in bfloat16."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.ops.narrow import spread, times, wide
from jaxseg.ops.platform import by_platform
from tests.narrow_types import lost_digits, trace

X = jax.ShapeDtypeStruct((2, 8, 8, 4), jnp.bfloat16)
BIAS = jax.ShapeDtypeStruct((4,), jnp.float32)


def lost(function, *args):
    return [line.split()[0] for line in lost_digits(trace(function, *args)[0])]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: jnp.exp(x), ["exp"]),
        (lambda x: x * 0.9, ["mul"]),
        (lambda x: x * jnp.full((4,), 1 / 3, x.dtype), ["broadcast_in_dim"]),
        (lambda x: x @ np.full((4, 4), 1 / 3, x.dtype), ["constant"]),
        (lambda x: jnp.cumsum(x, 1), ["cumsum"]),
        (lambda x: x.at[:, [0, 0]].add(x[:, :2]), ["scatter-add"]),
        (lambda x: by_platform(jnp.abs, lambda x: jnp.log(x), x), ["log"]),
        (jax.checkpoint(lambda x: jax.lax.rsqrt(x)), ["rsqrt"]),
    ],
)
def test_it_is_found(function, expected):
    assert lost(function, X) == expected
    # And is right once x is float32.
    assert lost(function, jax.ShapeDtypeStruct(X.shape, jnp.float32)) == []


@pytest.mark.parametrize(
    "function",
    [
        lambda x: (6 * x + 3) / 8,
        lambda x: x.sum((1, 2)),
        lambda x: times(x, 0.9),
        lambda x: jax.nn.softmax(wide(x)).astype(x.dtype),
        lambda x: x[:, :1].sum(1),
    ],
)
def test_what_loses_nothing(function):
    assert lost(function, X) == []


def test_the_gradient_of_a_bias():
    def gradient(add):
        def total(bias, x):
            return wide(add(x, bias)).sum()

        return jax.grad(total)

    assert lost(gradient(lambda x, b: x + b.astype(x.dtype)), BIAS, X) == ["reduce_sum"]
    assert lost(gradient(lambda x, b: x + spread(b, x)), BIAS, X) == []

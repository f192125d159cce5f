"""What is lowered for a platform has the forms of that platform, on any host."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.ops.attention import attention
from jaxseg.ops.conv import conv2d, conv_transpose2d
from jaxseg.ops.layer_norm import layer_norm
from jaxseg.ops.pool import adaptive_avg_pool, avg_pool, max_pool
from jaxseg.ops.resize import resize
from jaxseg.ops.select import kth_smallest, largest_channel
from jaxseg.ops.strips.prediction import map_resized


def numbers(*shape):
    return np.random.default_rng([3, *shape]).standard_normal(shape, np.float32)


def resized_classes(x):
    """The classes of logits at 256 x 256 pixels, more than a strip of a CPU."""
    index = np.zeros((1, 256, 1), np.int32)
    table = (index, np.ones(index.shape, np.float32))
    rows = jnp.array([256])
    return map_resized(lambda x: x.argmax(-1), x, [(table, table)], rows)


IMAGE = numbers(1, 12, 12, 32)


def kernel(x, *shape):
    """A kernel that the gradient goes to as well."""
    return numbers(*shape) * x[0, 0, 0, 0]


# Of each operation, a call, and what is in the text of the program and its gradient for
# a CPU, and for other platforms.
DIFFERENTIABLE = {
    "attention": (
        lambda x: attention(*[x.reshape(1, 144, 4, 8)] * 3),
        r"\bwhile\b",
        "dot_general.*tensor<1x4x144x144xf32>",
    ),
    "depthwise convolution": (
        lambda x: conv2d(x, kernel(x, 3, 3, 1, 32), 1, 1, 1, 32),
        r"\bwhile\b",
        "feature_group_count = 32",
    ),
    "grouped convolution": (
        lambda x: conv2d(x, kernel(x, 3, 3, 8, 32), 1, 1, 1, 4),
        r"\bwhile\b",
        "feature_group_count = 4",
    ),
    "transposed convolution": (
        lambda x: conv_transpose2d(x, kernel(x, 4, 4, 32, 3), 2, 1),
        "dot_general",
        "convolution",
    ),
    "max_pool": (lambda x: max_pool(x, 3, 2, 1), "concatenate", "select_and_scatter"),
    "avg_pool": (lambda x: avg_pool(x, 5), "slice", "reduce_window"),
    "adaptive_avg_pool": (
        lambda x: adaptive_avg_pool(x, (3, 2)),
        "dot_general.*tensor<6x144xf32>",
        "dot_general.*tensor<3x12xf32>",
    ),
    "layer_norm": (
        lambda x: layer_norm(x, x[0, 0, 0], x[0, 0, 1], 1e-5),
        "optimization_barrier",
        "negate",
    ),
}
# Of these a TPU has the form of a CPU.
AS_ON_A_CPU = {"attention"}
INTEGERS = {
    "kth_smallest": (
        lambda x: kth_smallest(jnp.abs(x), x > 0, 7),
        "scatter",
        r"compare +LT.*12x12x32xui32",
    ),
    "largest_channel": (
        lambda x: largest_channel(x.reshape(12, -1)),
        "minimum",
        r"stablehlo\.or",
    ),
    "strips": (resized_classes, "1x32x256x32xf32", "1x256x256x32xf32"),
}


def lowered(function, platform, *args):
    """The text of a function for a platform, without the names of its parts."""
    traced = jax.jit(lambda *args: function(*args)).trace(*args)
    text = traced.lower(lowering_platforms=(platform,)).as_text()
    return re.sub(r"(?m)loc\(.*?\)|@\w+", "", text)


def with_gradient(function):
    return jax.value_and_grad(lambda *args: jnp.square(function(*args)).sum())


@pytest.mark.parametrize("name", [*DIFFERENTIABLE, *INTEGERS])
def test_an_operation_is_that_of_its_platform(name, monkeypatch):
    function, on_cpu, elsewhere = (DIFFERENTIABLE | INTEGERS)[name]
    if name in DIFFERENTIABLE:
        function = with_gradient(function)
    text = lowered(function, "cpu", IMAGE)
    assert re.search(on_cpu, text) and not re.search(elsewhere, text)
    for platform in ("cuda", "tpu"):
        wanted, unwanted = elsewhere, on_cpu
        if platform == "tpu" and name in AS_ON_A_CPU:
            wanted, unwanted = on_cpu, elsewhere
        other = lowered(function, platform, IMAGE)
        assert re.search(wanted, other) and not re.search(unwanted, other)
    # Whatever the host has: it is not asked.
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert lowered(function, "cpu", IMAGE) == text


def test_a_tpu_has_a_form_of_its_own():
    function = with_gradient(lambda x: resize(x, (24, 20)))
    for platform in ("cpu", "cuda"):
        text = lowered(function, platform, IMAGE)
        assert "gather" in text and "dot_general" not in text
    text = lowered(function, "tpu", IMAGE)
    assert "dot_general" in text and "gather" not in text

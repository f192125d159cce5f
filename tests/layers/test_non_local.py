"""Modes that no reference case has, beside mmcv's formulas in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.config import ConfigError
from jaxseg.layers.context_block import ContextBlock
from jaxseg.layers.non_local import DisentangledNonLocal2d, NonLocal2d
from tests.models.cases import build, weights

X = np.random.default_rng(0).standard_normal((2, 5, 4, 6)).astype(np.float32)
PIXELS = X.reshape(2, 20, 6)


def convolved(params, name, x=PIXELS):
    return x @ np.asarray(params[name]["kernel"])[0, 0] + np.asarray(
        params[name]["bias"]
    )


@pytest.mark.parametrize("disentangled", [False, True])
def test_dot_product(disentangled):
    kind, more = NonLocal2d, {}
    if disentangled:
        kind, more = DisentangledNonLocal2d, {"temperature": 0.5}
    block = kind(mode="dot_product", **more)
    variables = weights(block, jnp.asarray(X))
    params = variables["params"]
    theta, phi, g = (convolved(params, f"{n}.conv") for n in ("theta", "phi", "g"))
    if disentangled:  # neither the scale nor the temperature is used
        theta, phi = (x - x.mean(1, keepdims=True) for x in (theta, phi))
    y = theta @ phi.swapaxes(1, 2) @ g / 20
    if disentangled:
        mask = np.exp(convolved(params, "conv_mask"))
        y = y + (mask / mask.sum(1, keepdims=True)).swapaxes(1, 2) @ g
    expected = PIXELS + convolved(params, "conv_out.conv", y)
    found = block.apply(variables, X, False)
    np.testing.assert_allclose(found.reshape(2, 20, 6), expected, atol=2e-5)


def test_a_context_of_plain_means_scales_and_is_added():
    block = ContextBlock(
        ratio=0.5, pooling_type="avg", fusion_types=("channel_add", "channel_mul")
    )
    start = block.init(jax.random.key(0), X, False)
    # The last convolutions start with zeros.
    variables = jax.tree.map(lambda leaf: leaf + 0.1, start)
    params = variables["params"]

    def transform(name):
        y = convolved(params, f"{name}.0", PIXELS.mean(1, keepdims=True))
        y = (y - y.mean(-1, keepdims=True)) / np.sqrt(y.var(-1, keepdims=True) + 1e-5)
        norm = {k: np.asarray(v).ravel() for k, v in params[f"{name}.1"].items()}
        y = np.maximum(y * norm["scale"] + norm["bias"], 0)
        return convolved(params, f"{name}.3", y)

    factor = jax.nn.sigmoid(transform("channel_mul_conv"))
    expected = PIXELS * factor + transform("channel_add_conv")
    found = block.apply(variables, X, False)
    np.testing.assert_allclose(found.reshape(2, 20, 6), expected, atol=2e-5)


def test_what_is_refused():
    with pytest.raises(ConfigError, match=r"NLHead.mode: .*dot_product.*gaussian"):
        build("NLHead", mode="gaussian")
    with pytest.raises(ConfigError, match="GCHead: fusion_types is empty, allowed: c"):
        build("GCHead", fusion_types=[])

"""Plugins and kinds of convolution give mmcv's numbers.

mmcv_layers.npz has what mmcv 2.1's modules gave in float64 (DCN and DCNv2 with
torchvision's compiled operation inside), with weights by the reference cases' recipe.
"""

import math
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.layers.plugin import Plugin
from jaxseg.resolve import resolve
from jaxseg.testing.reference import fill
from jaxseg.weights.state_dict import from_state_dict, to_state_dict, torch_shapes
from tests.narrow_types import lost_digits, trace

STORED = np.load(pathlib.Path(__file__).with_name("mmcv_layers.npz"))

CONV = dict(stride=2, padding=2, dilation=2, groups=2)
ATTENTION = dict(type="GeneralizedAttention", num_heads=2)
# Name -> (config, channels of the map).
LAYERS = {
    "context_block": (
        dict(
            type="ContextBlock", ratio=0.5, fusion_types=["channel_mul", "channel_add"]
        ),
        8,
    ),
    "context_block_avg": (dict(type="ContextBlock", ratio=0.25, pooling_type="avg"), 8),
    "nonlocal": (dict(type="NonLocal2d"), 8),
    "nonlocal_dot": (dict(type="NonLocal2d", reduction=4, mode="dot_product"), 8),
    "attention_1111": (ATTENTION, 8),
    "attention_0010": (ATTENTION | dict(attention_type="0010", q_stride=2), 8),
    "attention_0001": (
        ATTENTION
        | dict(attention_type="0001", position_embedding_dim=8, position_magnitude=2),
        9,
    ),
    "attention_1010": (
        ATTENTION | dict(num_heads=3, attention_type="1010", kv_stride=1, q_stride=2),
        9,
    ),
    "attention_0111": (
        ATTENTION | dict(num_heads=1, attention_type="0111", q_stride=2, kv_stride=3),
        8,
    ),
    # Of mmcv's channels 256 alone have a range.
    "attention_near": (
        ATTENTION | dict(num_heads=64, spatial_range=1, position_embedding_dim=4),
        256,
    ),
    "ConvWS": (dict(type="ConvWS"), 4),
    "ConvAWS": (dict(type="ConvAWS"), 4),
    "Conv2dAdaptivePadding": (dict(type="Conv2dAdaptivePadding"), 4),
    "DCN": (dict(type="DCN", deform_groups=2), 4),
    "DCNv2": (dict(type="DCNv2", deform_groups=2), 4),
}


def drawn(seed, shape):
    """(N, C, H, W) normal values, channels last."""
    values = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return jnp.asarray(values.astype(np.float64).transpose(0, 2, 3, 1))


def layer_of(name):
    """(x, variables) -> y, the layer and its arguments beside x."""
    config, channels = LAYERS[name]
    entry = resolve(config, name)
    if isinstance(entry, Plugin):
        return entry, (False,), channels
    bias = name != "DCN"
    return entry(6, 3, **CONV, bias=bias, name=None), (), channels


@pytest.mark.parametrize("name", LAYERS)
def test_equals_mmcv(name):
    layer, more, channels = layer_of(name)
    shape = (2, channels, *((5, 4) if name == "attention_near" else (6, 7)))
    with jax.enable_x64(True):
        x = drawn(1, shape)
        start = jax.eval_shape(lambda: layer.init(jax.random.key(0), x, *more))
        state = {
            key: fill(key, shape, 0).astype(np.float64)
            for key, shape in torch_shapes(start).items()
        }
        variables = from_state_dict(state, start)

        def run(params, x):
            return layer.apply(variables | {"params": params}, x, *more)

        y, pull = jax.vjp(jax.jit(run), variables["params"], x)
        of_params, of_x = pull(drawn(2, (y.shape[0], y.shape[3], *y.shape[1:3])))
        found = {"y": y, "of_x": of_x}
        if name == "attention_near":
            found = {key: value[..., ::8] for key, value in found.items()}
        else:
            gradients = to_state_dict({"params": of_params})
            found |= {f"of/{key}": value for key, value in gradients.items()}
    expected = {k: STORED[f"{name}/{k}"] for k in found}
    for key, value in found.items():
        bound = 1e-12 * max(np.abs(expected[key]).max(), 1)
        np.testing.assert_allclose(
            value, expected[key], rtol=0, atol=bound, err_msg=key
        )


@pytest.mark.parametrize("name", LAYERS)
def test_bfloat16_loses_no_digits(name):
    layer, more, channels = layer_of(name)
    x = jax.ShapeDtypeStruct((2, 6, 7, channels), jnp.bfloat16)
    start = jax.eval_shape(lambda x: layer.init(jax.random.key(0), x, *more), x)

    def total(variables, x):
        return layer.apply(variables, x, *more).astype(jnp.float32).sum()

    step = jax.grad(total, argnums=(0, 1))
    program, (of_variables, of_x) = trace(step, start, x)
    assert lost_digits(program) == []
    assert of_x.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(of_variables)} == {
        jnp.dtype("float32")
    }


@pytest.mark.parametrize(
    ("name", "bounds"),
    [
        # torch's kaiming_uniform_ of 2 channels a group and 9 taps, and mmcv's own
        # rule of the 4 channels of all groups.
        ("DCN", {"kernel": math.sqrt(6 / 18)}),
        ("DCNv2", {"kernel": 1 / math.sqrt(36)}),
        (
            "attention_1111",
            {
                "key_conv": math.sqrt(3 / 8),
                "proj_conv": math.sqrt(3 / 8),
                "appr_geom_fc_y": math.sqrt(3 / 4),
                "geom_bias": 1 / math.sqrt(2 * 4),
            },
        ),
    ],
)
def test_starts_as_mmcvs_does(name, bounds):
    """Uniformly up to a bound; what a layer has besides starts with zeros."""
    layer, more, channels = layer_of(name)
    start = jax.jit(lambda key: layer.init(key, jnp.zeros((1, 6, 7, channels)), *more))
    draws = [start(jax.random.key(seed))["params"] for seed in range(8)]
    for part, bound in bounds.items():
        values = np.stack([jax.tree.leaves(draw[part])[-1] for draw in draws])
        assert 0.8 * bound < np.abs(values).max() <= bound * (1 + 1e-6)
    zeros = {"conv_offset", "gamma", "bias"}
    for part in zeros & draws[0].keys():
        assert not any(np.any(leaf) for leaf in jax.tree.leaves(draws[0][part]))

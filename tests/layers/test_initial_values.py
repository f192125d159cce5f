"""The starting values have the distributions that mmseg 1.2.2's init_weights gives."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.backbones import DeconvModule, ResNet, UNet, VisionTransformer
from jaxseg.heads import DepthwiseSeparableASPPHead, PSPHead
from jaxseg.layers import BN
from jaxseg.necks import FPN, MultiLevelNeck
from jaxseg.weights.state_dict import to_state_dict


def starting_values(module, *shapes, several=True):
    inputs = tuple(jnp.zeros((1, *shape)) for shape in shapes)
    inputs = inputs if several else inputs[0]
    # Threefry, the default, takes six times as long to compile.
    key = jax.random.key(0, impl="rbg")
    variables = jax.jit(module.init, static_argnums=2)(key, inputs, False)
    return to_state_dict({"params": variables["params"]})


def assert_normal(values, std):
    """Within five standard deviations of the estimates, tails included."""
    n = values.size
    assert abs(values.mean()) < 5 * std / math.sqrt(n)
    assert abs(values.std() / std - 1) < 5 / math.sqrt(2 * n)
    # 4.55 % of a normal distribution lie beyond two standard deviations.
    beyond = (np.abs(values) > 2 * std).mean()
    assert abs(beyond - 0.0455) < 5 * math.sqrt(0.0455 * 0.9545 / n)


def assert_uniform(values, bound):
    n = values.size
    assert abs(values.mean()) < 5 * bound / math.sqrt(3 * n)
    assert abs(np.abs(values).mean() / bound - 0.5) < 5 * 0.29 / math.sqrt(n)
    assert np.abs(values).max() <= bound


def assert_kaiming_fan_out(values):
    assert_normal(values, math.sqrt(2 / (len(values) * values[0, 0].size)))


@pytest.mark.parametrize(("depth", "last"), [(18, "bn2"), (50, "bn3")])
def test_resnet(depth, last):
    arguments = dict(base_channels=16, num_stages=1, out_indices=(0,))
    arguments |= dict(strides=(1,), dilations=(1,))
    values = starting_values(ResNet(depth, **arguments), (32, 32, 3), several=False)
    for key, value in values.items():
        if value.ndim == 4:
            assert_kaiming_fan_out(value)
        else:
            zero = key.endswith("bias") or f".{last}." in key
            np.testing.assert_array_equal(value, 0 if zero else 1, err_msg=key)

    plain = ResNet(depth, zero_init_residual=False, **arguments)
    values = starting_values(plain, (32, 32, 3), several=False)
    np.testing.assert_array_equal(values[f"layer1.0.{last}.weight"], 1)


def test_unet():
    unet = UNet(
        base_channels=16,
        num_stages=2,
        strides=(1, 1),
        enc_num_convs=(2, 1),
        dec_num_convs=(1,),
        downsamples=(True,),
        enc_dilations=(1, 1),
        dec_dilations=(1,),
        upsample_cfg=DeconvModule(),
    )
    values = starting_values(unet, (16, 16, 3), several=False)
    # torch's default of a transposed convolution: kernel (in, out, 4, 4), whose fan
    # torch takes from the outputs.
    bound = 1 / math.sqrt(16 * 4 * 4)
    deconv = "decoder.0.upsample.deconv_upsamping.0"
    assert_uniform(values.pop(f"{deconv}.weight"), bound)
    assert_uniform(values.pop(f"{deconv}.bias"), bound)
    for key, value in values.items():
        if value.ndim == 4:
            assert_kaiming_fan_out(value)
        else:
            expected = 1 if key.endswith("weight") else 0
            np.testing.assert_array_equal(value, expected, err_msg=key)


@pytest.mark.parametrize(
    "head",
    [
        PSPHead(in_channels=32, channels=64, num_classes=19, norm_cfg=BN()),
        DepthwiseSeparableASPPHead(
            in_channels=32,
            in_index=1,
            channels=64,
            num_classes=19,
            c1_in_channels=24,
            c1_channels=12,
            norm_cfg=BN(),
        ),
    ],
    ids=lambda head: type(head).__name__,
)
def test_heads(head):
    values = starting_values(head, (6, 6, 24), (6, 6, 32))
    assert_normal(values.pop("conv_seg.weight"), 0.01)
    for key, value in values.items():
        if value.ndim == 4:
            assert_kaiming_fan_out(value)
        else:
            expected = 1 if key.endswith("weight") else 0
            np.testing.assert_array_equal(value, expected, err_msg=key)


@pytest.mark.parametrize(
    "neck",
    [
        FPN((24, 32), 48, num_outs=3, add_extra_convs="on_input"),
        MultiLevelNeck((24, 32), 48, scales=(0.5, 2)),
    ],
    ids=lambda neck: type(neck).__name__,
)
def test_necks(neck):
    for value in starting_values(neck, (8, 8, 24), (4, 4, 32)).values():
        if value.ndim == 4:
            outputs, inputs, height, width = value.shape
            fans = (outputs + inputs) * height * width
            assert_uniform(value, math.sqrt(6 / fans))
        else:
            np.testing.assert_array_equal(value, 0)


def test_vision_transformer():
    vit = VisionTransformer(
        img_size=64, patch_size=8, embed_dims=64, num_layers=1, num_heads=2
    )
    values = starting_values(vit, (64, 64, 3), several=False)
    for key in ("pos_embed", "cls_token"):
        assert_normal(values[key], 0.02)
    for key in ("attn.attn.out_proj", "ffn.layers.0.0", "ffn.layers.1"):
        assert_normal(values[f"layers.0.{key}.weight"], 0.02)
    for key in ("ffn.layers.0.0", "ffn.layers.1"):
        assert_normal(values[f"layers.0.{key}.bias"], 1e-6)
    for key in ("attn.attn.out_proj.bias", "attn.attn.in_proj_bias", "ln1.bias"):
        np.testing.assert_array_equal(values[f"layers.0.{key}"], 0)
    np.testing.assert_array_equal(values["layers.0.ln2.weight"], 1)
    # Kaiming over the inputs, and Xavier over q, k and v together.
    assert_normal(values["patch_embed.projection.weight"], math.sqrt(2 / (3 * 8 * 8)))
    assert_uniform(values["layers.0.attn.attn.in_proj_weight"], math.sqrt(6 / (4 * 64)))

"""DINOv2 and DINOv3: keys of other repositories, and what a frozen one costs.

The numbers are transformers' own: tests/weights/huggingface/test_cases.py.
"""

import jax
import numpy as np
import pytest

from jaxseg.backbones import DINOv2, DINOv3
from jaxseg.errors import FieldError
from jaxseg.train.abstract_step import abstract_step
from jaxseg.weights.state_dict import torch_shapes

TINY = dict(embed_dims=8, num_layers=2, num_heads=2)


def shapes_of(backbone):
    image = np.zeros((1, 56, 56, 3), np.float32)
    init = jax.eval_shape(lambda: backbone.init(jax.random.key(0), image, False))
    return torch_shapes(init)


def read(backbone, theirs):
    """The shapes of a file's weights under our names, after `convert`."""
    weights = {key: np.ones(shape, np.float32) for key, shape in theirs.items()}
    kept, left_out = backbone.key_table.select(weights, shapes_of(backbone))
    converted = backbone.key_table.convert(kept, backbone)
    return {key: np.shape(a) for key, a in converted.items()}, left_out


def test_the_originals_keys():
    backbone = DINOv2(img_size=56, num_register_tokens=4, **TINY)
    theirs = {
        key.replace("patch_embed.projection", "patch_embed.proj"): shape
        for key, shape in shapes_of(backbone).items()
    }
    assert {"blocks.0.ls1.gamma", "blocks.1.attn.qkv.bias", "norm.weight"} <= set(
        theirs
    )
    found, left_out = read(backbone, theirs | {"mask_token": (1, 8)})
    assert found == shapes_of(backbone)
    assert left_out == ["mask_token"]


def test_fewer_blocks_leave_the_others_out():
    backbone = DINOv2(img_size=56, **TINY)
    theirs = shapes_of(DINOv2(img_size=56, **TINY | dict(num_layers=3)))
    found, left_out = read(backbone, theirs)
    assert found == shapes_of(backbone)
    assert left_out and all(key.startswith("blocks.2.") for key in left_out)


def test_timms_keys_of_a_model_with_registers_and_swiglu():
    backbone = DINOv2(img_size=56, swiglu=True, num_register_tokens=4, **TINY)
    names = {
        "patch_embed.projection": "patch_embed.proj",
        "register_tokens": "reg_token",
        ".w12.": ".fc1.",
        ".w3.": ".fc2.",
    }
    theirs = shapes_of(backbone)
    for ours, name in names.items():
        theirs = {key.replace(ours, name): shape for key, shape in theirs.items()}
    theirs["pos_embed"] = (1, 16, 8)  # without the class token's
    found, _ = read(backbone, theirs)
    assert found == shapes_of(backbone)


def test_dinov3s_keys_masked_biases_and_split_swiglu():
    backbone = DINOv3(swiglu=True, **TINY)
    weights = {}
    for key, shape in shapes_of(backbone).items():
        key = key.replace("projection", "proj").replace("register", "storage")
        value = np.ones(shape, np.float32)
        if ".w12." in key:
            for i, half in enumerate(np.split(value, 2), 1):
                weights[key.replace("w12", f"w{i}")] = half * i
        else:
            weights[key] = value
    mask = np.repeat(np.float32([1, 0, 1]), 8)
    weights["blocks.0.attn.qkv.bias_mask"] = mask
    weights["blocks.0.attn.qkv.bias"] = np.where(mask, 2, np.nan).astype(np.float32)
    weights["rope_embed.periods"] = np.ones(2, np.float32)
    kept, left_out = backbone.key_table.select(weights, shapes_of(backbone))
    converted = backbone.key_table.convert(kept, backbone)
    assert left_out == ["rope_embed.periods"]
    assert {k: np.shape(a) for k, a in converted.items()} == shapes_of(backbone)
    np.testing.assert_array_equal(converted["blocks.0.attn.qkv.bias"], 2 * mask)
    np.testing.assert_array_equal(converted["blocks.0.mlp.w12.bias"][[0, -1]], [1, 2])


def test_the_width_has_to_be_whole_heads():
    with pytest.raises(FieldError, match="embed_dims is 8, which num_heads=3"):
        DINOv2(embed_dims=8, num_heads=3)


def linear_probe(frozen, num_layers=2):
    """The lowered step of a linear head, and its state by shapes."""
    backbone = dict(type="DINOv2", patch_size=4, img_size=32, frozen=frozen)
    head = dict(type="BNHead", in_channels=16, channels=16, num_classes=3)
    model = dict(
        type="EncoderDecoder",
        backbone=backbone | dict(embed_dims=16, num_layers=num_layers, num_heads=2),
        decode_head=head,
    )
    config = dict(
        model=model, optim_wrapper=dict(optimizer=dict(type="AdamW", lr=1e-3))
    )
    devices = jax.devices()[:1]
    step, state, batch = abstract_step(config, {}, 8, (32, 32), devices=devices)
    return step.lower(state, batch), state


def test_a_frozen_backbone_has_no_gradients_and_no_optimizer_state():
    frozen, state = linear_probe(True)
    trained, _ = linear_probe(False)
    head = sum(leaf.size for leaf in jax.tree.leaves(state.params["decode_head"]))
    moments = sum(leaf.size for leaf in jax.tree.leaves(state.opt_state))
    assert moments <= 2 * head + 10  # AdamW's two, and counters
    # Forward alone is a third of the products of forward and backward.
    assert frozen.cost_analysis()["flops"] < 0.45 * trained.cost_analysis()["flops"]


@pytest.mark.long
def test_a_frozen_backbone_keeps_no_maps_for_gradients():
    """What grows with its blocks are weights that XLA lays out anew."""
    few, many = (
        linear_probe(True, count)[0].compile().memory_analysis().temp_size_in_bytes
        for count in (2, 8)
    )
    trained = linear_probe(False, 8)[0].compile().memory_analysis().temp_size_in_bytes
    assert many - few < 0.1 * (trained - few) and many < 0.4 * trained

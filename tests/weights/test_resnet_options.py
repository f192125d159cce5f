"""Weights of ordinary ResNets in those with plugins and other convolutions."""

import logging

import jax
import numpy as np
import pytest

from jaxseg.backbones import ResNet
from jaxseg.layers import ContextBlock, ConvAWS, DCNv2, GeneralizedAttention
from jaxseg.layers.plugin import BlockPlugin
from jaxseg.segmentors import EncoderDecoder
from jaxseg.weights.load import LoadError
from jaxseg.weights.load_pretrained import load_pretrained
from jaxseg.weights.pretrained import Pretrained
from jaxseg.weights.state_dict import to_state_dict
from tests.weights.pretrained_files import fresh, load, shapes_of, write


def small_resnet(**options):
    stage = dict(num_stages=1, strides=(1,), dilations=(1,), out_indices=(0,))
    return ResNet(50, base_channels=4, stem_channels=6, **stage, **options)


def test_what_an_ordinary_resnet_lacks_starts_fresh(tmp_path, caplog):
    plugin = BlockPlugin(ContextBlock(ratio=0.5), "after_conv3")
    special = small_resnet(dcn=DCNv2(), stage_with_dcn=(True,), plugins=(plugin,))
    path = tmp_path / "ordinary.npz"
    given = write(path, shapes_of(small_resnet()))
    variables = jax.tree.map(lambda leaf: np.ones(leaf.shape), fresh(special))
    with caplog.at_level(logging.INFO, "jaxseg"):
        loaded = load_pretrained(
            "backbone",
            Pretrained(str(path)),
            variables,
            EncoderDecoder(special, None),
        )
    loaded = to_state_dict(
        {name: values["backbone"] for name, values in loaded.items()}
    )
    new = loaded.keys() - given.keys()
    assert {key.split(".")[2] for key in new} == {"conv2", "context_block"}
    assert all((loaded[key] == 1).all() for key in new)
    assert all((loaded[key] == given[key]).all() for key in given)
    assert "not there, so fresh: layer1.0.context_block." in caplog.text
    # What both have must be there.
    write(path, {k: v for k, v in shapes_of(special).items() if "bn2" not in k})
    with pytest.raises(LoadError, match=r"missing: backbone\.layer1\.0\.bn2\.bias"):
        load(path, special)


def test_adaptively_standardised_kernels_compute_what_they_are(tmp_path):
    path = tmp_path / "ordinary.npz"
    given = write(path, shapes_of(small_resnet()))
    loaded = load(path, small_resnet(conv_cfg=ConvAWS()))
    for key in (
        "conv1.weight",
        "layer1.0.conv2.weight",
        "layer1.0.downsample.0.weight",
    ):
        kernel, axes = loaded[key], (1, 2, 3)
        var = kernel.var(axes, keepdims=True, ddof=1)
        found = (kernel - kernel.mean(axes, keepdims=True)) / np.sqrt(var + 1e-5)
        found = found * loaded[f"{key}_gamma"] + loaded[f"{key}_beta"]
        np.testing.assert_allclose(found, given[key], atol=1e-6)


def test_offsets_of_mmcvs_first_version_and_tables_of_near_pixels():
    rename = ResNet.key_table.rename
    assert rename("layer2.0.conv2_offset.bias", ()) == "layer2.0.conv2.conv_offset.bias"
    near = GeneralizedAttention(spatial_range=2, kv_stride=2)
    plugins = (BlockPlugin(near, "after_conv2", (False, True)),)
    stages = dict(num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(1,))
    resnet = ResNet(50, base_channels=128, plugins=plugins, **stages)
    tables = ResNet.key_table.buffers(resnet)
    name = "gen_attention_block.local_constraint_map"
    assert list(tables) == [f"layer2.{i}.{name}" for i in range(4)]
    table = tables[f"layer2.0.{name}"]
    assert table.shape == (84, 84, 42, 42) and table.dtype == np.uint8
    # Keys are every second pixel: of pixel 8 those of 6 to 10, of pixel 9 one more.
    assert np.flatnonzero(table[8, 8, 4] == 0).tolist() == [3, 4, 5]
    assert np.flatnonzero(table[9, 8, :, 4] == 0).tolist() == [3, 4, 5, 6]

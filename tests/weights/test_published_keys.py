"""Key tables of the families: the keys of published files."""

import functools
import json
import logging
import pathlib
import re

import jax
import numpy as np
import pytest
from flax import traverse_util

from jaxseg.backbones import (
    DDRNet,
    HRNet,
    MobileNetV2,
    MobileNetV3,
    ResNet,
    ResNetV1c,
    ResNetV1d,
)
from jaxseg.segmentors import EncoderDecoder
from jaxseg.weights.load_pretrained import load_pretrained
from jaxseg.weights.names import torch_key
from jaxseg.weights.pretrained import Pretrained
from tests.weights.pretrained_files import (
    NAMES,
    ORIGINS,
    Vit,
    fresh,
    load,
    shapes_of,
    stdc,
    write,
)

MOBILENET_V3 = json.loads(
    pathlib.Path(__file__).with_name("mobilenet_v3_keys.json").read_text()
)


@pytest.mark.parametrize(
    "origin, backbone, unused",
    [
        ("torchvision resnet18", ResNet(18), {"fc.weight", "fc.bias"}),
        ("timm resnet18d", ResNetV1d(18), {"fc.weight", "fc.bias"}),
        ("mmpretrain ResNet", ResNet(18), set()),
        ("mmpretrain ResNetV1c", ResNetV1c(18), set()),
        ("mmpretrain ResNetV1d", ResNetV1d(18), set()),
        (
            "timm vit",
            Vit(),
            {"norm.weight", "norm.bias", "head.weight", "head.bias"},
        ),
        ("timm vit", Vit(final_norm=True), {"head.weight", "head.bias"}),
        ("mmpretrain vit", Vit(), {"ln1.weight", "ln1.bias"}),
        ("mmpretrain vit", Vit(final_norm=True), set()),
    ],
)
def test_every_weight_of_a_published_file_has_its_place(origin, backbone, unused):
    shapes = {k: tuple(shape) for k, shape in ORIGINS[origin].items()}
    if origin.startswith("mmpretrain"):
        shapes = {
            key.removeprefix("backbone."): shape
            for key, shape in shapes.items()
            if key.startswith("backbone.")
        }
    wanted = shapes_of(backbone)
    kept, left_out = backbone.key_table.select(shapes, wanted)
    assert kept == wanted
    assert set(left_out) == unused


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("features.0.1.bias", "conv1.bn.bias"),
        ("features.1.conv.0.0.weight", "layer1.0.conv.0.conv.weight"),
        ("features.1.conv.1.weight", "layer1.0.conv.1.conv.weight"),
        ("features.1.conv.2.running_mean", "layer1.0.conv.1.bn.running_mean"),
        ("features.3.conv.1.1.weight", "layer2.1.conv.1.bn.weight"),
        ("features.11.conv.0.0.weight", "layer5.0.conv.0.conv.weight"),
        ("features.17.conv.2.weight", "layer7.0.conv.2.conv.weight"),
        ("features.17.conv.3.running_var", "layer7.0.conv.2.bn.running_var"),
    ],
)
def test_torchvision_counts_the_blocks_of_mobilenet_v2_through(theirs, ours):
    assert MobileNetV2.key_table.rename(theirs, ()) == ours


@pytest.mark.parametrize(
    ("stdc_type", "theirs", "ours"),
    [
        ("STDCNet1", "features.0.conv.weight", "stages.0.conv.weight"),
        (
            "STDCNet1",
            "features.4.conv_list.3.bn.bias",
            "stages.3.0.layers.3.bn.bias",
        ),
        (
            "STDCNet2",
            "features.4.conv_list.0.conv.weight",
            "stages.2.2.layers.0.conv.weight",
        ),
        (
            "STDCNet2",
            "features.11.avd_layer.0.weight",
            "stages.4.0.downsample.conv.weight",
        ),
        (
            "STDCNet1",
            "features.6.avd_layer.1.running_var",
            "stages.4.0.downsample.bn.running_var",
        ),
        ("STDCNet2", "conv_last.bn.weight", "final_conv.bn.weight"),
    ],
)
def test_the_authors_count_the_modules_of_stdc_through(stdc_type, theirs, ours):
    assert stdc(stdc_type).key_table.rename(theirs, ()) == ours


def test_mmseg_has_a_convolution_of_stdc_twice():
    part = stdc("STDCNet1", "add")
    given = {
        "stages.2.0.layers.0.1.conv.weight": 1,
        "stages.2.1.layers.0.conv.weight": 2,
    }
    twice = given | {"stages.2.0.downsample.conv.weight": 1}
    assert part.key_table.convert(twice, part) == given
    assert part.key_table.convert_back(given, part) == twice


@pytest.mark.parametrize(
    ("backbone", "keys"),
    [
        (
            stdc("STDCNet1"),
            {"conv_last.conv.weight", "fc.weight", "bn.bias", "linear.weight"},
        ),
        (
            MobileNetV2,
            {"features.18.0.weight", "features.18.1.bias", "classifier.1.weight"}
            | {"conv2.conv.weight"},  # mmpretrain's name of the last convolution
        ),
        (
            HRNet,
            {"incre_modules.0.0.conv1.weight", "downsamp_modules.0.0.weight"}
            | {"final_layer.0.weight", "classifier.bias"},
        ),
    ],
)
def test_classifiers_are_left_out(backbone, keys):
    kept, left_out = backbone.key_table.select(dict.fromkeys(keys, 0), {"conv1.weight"})
    assert not kept and set(left_out) == keys


def test_timms_keys_become_those_of_mmsegs_converter():
    known = shapes_of(Vit())
    theirs = NAMES["vit2mmseg"]
    assert theirs["blocks.1.attn.qkv.bias"] == "layers.1.attn.attn.in_proj_bias"
    for key, converted in theirs.items():
        assert Vit().key_table.rename(key, known) == converted


@pytest.mark.parametrize("arch", ["small", "large"])
def test_mobilenet_v3_of_torchvision(arch, tmp_path):
    shapes = MOBILENET_V3[arch]
    given = write(tmp_path / "a.pth", shapes)
    net = MobileNetV3(arch, out_indices=(0,))
    rename = functools.partial(net.key_table.rename, known=())
    wanted = {
        rename(key): array
        for key, array in given.items()
        if not key.startswith("classifier.")
    }
    loaded = load(tmp_path / "a.pth", net)
    assert loaded.keys() == wanted.keys()
    for key, array in wanted.items():
        np.testing.assert_array_equal(loaded[key], array)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("features.0.1.bias", "layer0.bn.bias"),
        ("features.1.block.0.0.weight", "layer1.depthwise_conv.conv.weight"),
        ("features.1.block.1.fc2.bias", "layer1.se.conv2.conv.bias"),
        ("features.1.block.2.1.running_var", "layer1.linear_conv.bn.running_var"),
        ("features.2.block.0.0.weight", "layer2.expand_conv.conv.weight"),
        ("features.2.block.2.0.weight", "layer2.linear_conv.conv.weight"),
        ("features.11.block.2.fc1.weight", "layer11.se.conv1.conv.weight"),
        ("features.12.0.weight", "layer12.conv.weight"),
    ],
)
def test_torchvision_numbers_what_a_block_of_mobilenet_v3_has(theirs, ours):
    assert MobileNetV3("small").key_table.rename(theirs, ()) == ours


# The authors' modules, and ours.
DDRNET = {
    "conv1.0": "stem.0.conv",
    "conv1.1": "stem.0.bn",
    "conv1.3": "stem.1.conv",
    "conv1.4": "stem.1.bn",
    "layer1.0.conv1": "stem.2.0.conv1.conv",
    "layer2.0.downsample.1": "stem.4.0.downsample.1",
    "layer3.1.bn2": "context_branch_layers.0.1.conv2.bn",
    "layer5.0.conv3": "context_branch_layers.2.0.conv3.conv",
    "layer3_.0.bn1": "spatial_branch_layers.0.0.conv1.bn",
    "layer5_.0.downsample.0": "spatial_branch_layers.2.0.downsample.0",
    "compression3.0": "compression_1.conv",
    "compression4.1": "compression_2.bn",
    "down3.1": "down_1.bn",
    "down4.3": "down_2.1.conv",
    "spp.scale0.0": "spp.scales.0.bn",
    "spp.scale4.3": "spp.scales.4.1.conv",
    "spp.process1.2": "spp.processes.0.conv",
    "spp.process4.0": "spp.processes.3.bn",
    "spp.compression.2": "spp.compression.conv",
    "spp.shortcut.0": "spp.shortcut.bn",
}


def theirs_of_ddrnet(key):
    """The authors' name of one of our keys."""
    key = re.sub(r"(\d)\.conv(\d)\.(conv|bn)\.", r"\1.\3\2.", key)
    for start, end in {
        "stem.0.conv": "conv1.0",
        "stem.0.bn": "conv1.1",
        "stem.1.conv": "conv1.3",
        "stem.1.bn": "conv1.4",
        "stem.2": "layer1",
        "stem.4": "layer2",
        "context_branch_layers.0": "layer3",
        "context_branch_layers.1": "layer4",
        "context_branch_layers.2": "layer5",
        "spatial_branch_layers.0": "layer3_",
        "spatial_branch_layers.1": "layer4_",
        "spatial_branch_layers.2": "layer5_",
        "compression_1": "compression3",
        "compression_2": "compression4",
        "down_1": "down3",
        "down_2.0.conv": "down4.0",
        "down_2.0.bn": "down4.1",
        "down_2.1.conv": "down4.3",
        "down_2.1.bn": "down4.4",
    }.items():
        if key.startswith(f"{start}."):
            key = end + key.removeprefix(start)
            break
    return re.sub(
        r"^((?:compression|down3)\S*)\.(conv|bn)\.",
        lambda found: f"{found[1]}.{int(found[2] == 'bn')}.",
        key,
    )


def test_the_authors_name_the_layers_of_ddrnet_otherwise():
    for theirs, ours in DDRNET.items():
        assert DDRNet.key_table.rename(f"{theirs}.weight", ()) == f"{ours}.weight"


@pytest.mark.parametrize("prefix", ["", "module."])
def test_the_authors_classifier_of_ddrnet_has_no_pyramid(tmp_path, caplog, prefix):
    caplog.set_level(logging.INFO, "jaxseg")
    net = DDRNet(channels=4, ppm_channels=4)
    own = {key: s for key, s in shapes_of(net).items() if not key.startswith("spp.")}
    shapes = {prefix + theirs_of_ddrnet(key): shape for key, shape in own.items()}
    assert len(shapes) == len(own)
    assert f"{prefix}layer3_.0.bn1.running_var" in shapes
    extra = {"conv1.0.bias": (4,), "conv1.3.bias": (4,), "linear.bias": (10,)}
    shapes |= {prefix + key: shape for key, shape in extra.items()}
    given = write(tmp_path / "a.pth", shapes)
    fresh_values = {f"spp.{k}" for k in ("scales.0.bn.weight", "shortcut.conv.weight")}
    model, start = EncoderDecoder(net, None), Pretrained(str(tmp_path / "a.pth"))
    loaded = load_pretrained("backbone", start, fresh(net), model)
    flat = traverse_util.flatten_dict(loaded)
    by_key = {torch_key(path[2:]): leaf for path, leaf in flat.items()}
    for key in own:
        expected = given[prefix + theirs_of_ddrnet(key)]
        if key in ("stem.0.bn.running_mean", "stem.1.bn.running_mean"):
            bias = f"conv1.{3 * int(key[5])}.bias"
            expected = expected - given[prefix + bias]
        if expected.ndim == 4:
            expected = expected.transpose(2, 3, 1, 0)
        np.testing.assert_array_equal(by_key[key], expected)
    # What was there: in the test, shapes.
    assert all(isinstance(by_key[k], jax.ShapeDtypeStruct) for k in fresh_values)
    assert "not there, so fresh: spp.compression.bn.bias, " in caplog.text

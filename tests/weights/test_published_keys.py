"""Key tables of the families: the keys of published files."""

import pytest

from jaxseg.backbones import HRNet, MobileNetV2, ResNet, ResNetV1c, ResNetV1d
from tests.weights.pretrained_files import NAMES, ORIGINS, Vit, shapes_of, stdc


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

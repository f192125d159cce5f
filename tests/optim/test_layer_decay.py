import pytest

from jaxseg.config import ConfigError
from jaxseg.optim.param_groups import build_rules
from jaxseg.optim.parameters import list_parameters
from tests.optim.test_param_groups import PARAMS, conv, leaf, norm

HEADS = {"decode_head": {"conv_seg": conv(1, 1, 8, 2)}}
TRANSFORMER = PARAMS


def convnext(depths):
    block = {"depthwise_conv": conv(7, 7, 1, 8), "norm": norm(8), "gamma": leaf(8)}
    blocks = {
        f"stages.{stage}.{i}": block
        for stage, depth in enumerate(depths)
        for i in range(depth)
    }
    down = {
        f"downsample_layers.{stage}": {"0": conv(2, 2, 8, 8), "1": norm(8)}
        for stage in range(len(depths))
    }
    return {"backbone": down | blocks | {"norm3": norm(8)}} | HEADS


def multipliers(params, **paramwise_cfg):
    rules = build_rules("LearningRateDecayOptimizerConstructor", paramwise_cfg)
    parameters = list_parameters(params).values()
    rules.check(parameters)
    return {
        parameter.key: (m.lr_mult, m.decay_mult)
        for parameter in parameters
        for m in [rules.multipliers(parameter)]
    }


def test_a_transformer_equals_mmseg():
    found = multipliers(TRANSFORMER, num_layers=4, decay_rate=0.65)
    # mmseg 1.2.2, a BEiT of four layers, as parts of lr = 0.01 and weight decay 0.05.
    expected = {
        "backbone.cls_token": (0.11602906250000001, 1.0),
        "backbone.pos_embed": (0.11602906250000001, 1.0),
        "backbone.patch_embed.projection.weight": (0.11602906250000001, 1.0),
        "backbone.patch_embed.projection.bias": (0.11602906250000001, 0.0),
        "backbone.layers.1.attn.in_proj_weight": (0.274625, 1.0),
        "backbone.layers.1.attn.in_proj_bias": (0.274625, 0.0),
        "backbone.layers.1.gamma": (0.274625, 0.0),
        "backbone.layers.3.ln1.weight": (0.65, 0.0),
        "backbone.ln1.weight": (1.0, 0.0),
        "decode_head.conv_seg.weight": (1.0, 1.0),
        "auxiliary_head.1.conv_seg.bias": (1.0, 0.0),
    }
    for key, values in expected.items():
        assert found[key] == pytest.approx(values, rel=1e-12), key


# What mmseg 1.2.2 gives a ConvNeXt-T with lr = 0.01, weight decay 0.05, decay_rate 0.9.
@pytest.mark.parametrize(
    ("decay_type", "expected"),
    [
        (
            "layer_wise",
            {
                "downsample_layers.0.0.weight": (0.4782969000000001, 1.0),
                "downsample_layers.1.0.weight": (0.5904900000000001, 1.0),
                "downsample_layers.2.0.bias": (0.6561, 0.0),
                "downsample_layers.3.0.weight": (0.9000000000000001, 1.0),
                "stages.0.2.gamma": (0.531441, 0.0),
                "stages.1.0.depthwise_conv.weight": (0.5904900000000001, 1.0),
                "stages.2.2.depthwise_conv.weight": (0.6561, 1.0),
                "stages.2.3.depthwise_conv.weight": (0.7290000000000001, 1.0),
                "stages.2.8.gamma": (0.8100000000000002, 0.0),
                "stages.3.0.depthwise_conv.weight": (0.9000000000000001, 1.0),
                "norm3.weight": (1.0, 0.0),
            },
        ),
        (
            "stage_wise",
            {
                "downsample_layers.0.0.weight": (0.4782969000000001, 1.0),
                "downsample_layers.2.0.bias": (0.4782969000000001, 0.0),
                "downsample_layers.3.0.weight": (0.4782969000000001, 1.0),
                "stages.0.2.gamma": (0.531441, 0.0),
                "stages.1.0.depthwise_conv.weight": (0.5904900000000001, 1.0),
                "stages.2.2.depthwise_conv.weight": (0.6561, 1.0),
                "stages.2.8.gamma": (0.6561, 0.0),
                "stages.3.0.depthwise_conv.weight": (0.7290000000000001, 1.0),
                "norm3.weight": (1.0, 0.0),
            },
        ),
    ],
)
def test_a_convnext_equals_mmseg(decay_type, expected):
    params = convnext((3, 3, 9, 3))
    found = multipliers(params, num_layers=6, decay_rate=0.9, decay_type=decay_type)
    assert found["decode_head.conv_seg.weight"] == (1.0, 1.0)
    for key, values in expected.items():
        assert found[f"backbone.{key}"] == pytest.approx(values, rel=1e-12), key


RESNET = {"backbone": {"layer1.0": {"conv1": conv(3, 3, 4, 4)}}}
TINY = convnext((3, 3, 9, 3))


@pytest.mark.parametrize(
    ("params", "paramwise_cfg", "message"),
    [
        (RESNET, {}, "needs a transformer, .*or a ConvNeXt.*; this model has none"),
        (TRANSFORMER, dict(num_layers=12), "num_layers: found 12, .* has 4 layers"),
        (
            TRANSFORMER,
            dict(decay_type="stage_wise"),
            "decay_type: found 'stage_wise', .*allowed is 'layer_wise'",
        ),
        (
            TINY,
            dict(decay_type="wise"),
            "found 'wise', .*'layer_wise' and 'stage_wise'",
        ),
        (TINY, dict(num_layers=4), "num_layers: found 4, .*numbered up to 5"),
        (convnext((1,) * 5), {}, "defined for up to 4 stages, and the backbone has 5"),
    ],
)
def test_what_does_not_fit_the_backbone(params, paramwise_cfg, message):
    config = dict(num_layers=4, decay_rate=0.9) | paramwise_cfg
    with pytest.raises(ConfigError, match=message):
        multipliers(params, **config)

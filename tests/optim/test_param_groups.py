import dataclasses

import jax
import pytest

from jaxseg.config import ConfigError
from jaxseg.optim.param_groups import build_rules
from jaxseg.optim.parameters import (
    Multipliers,
    ParameterRules,
    list_parameters,
)
from jaxseg.registry import register

DEFAULT = "DefaultOptimWrapperConstructor"
LAYER_DECAY = "LearningRateDecayOptimizerConstructor"


def leaf(*shape):
    return jax.ShapeDtypeStruct(shape, "float32")


def conv(*shape):
    return {"kernel": leaf(*shape), "bias": leaf(shape[-1])}


def norm(size):
    return {"scale": leaf(size), "bias": leaf(size)}


def layer():
    return {
        "ln1": norm(8),
        "attn": {"in_proj_weight": leaf(24, 8), "in_proj_bias": leaf(24)},
        "gamma": leaf(8),
    }


PARAMS = {
    "backbone": {
        "cls_token": leaf(1, 1, 8),
        "pos_embed": leaf(1, 5, 8),
        "patch_embed": {"projection": conv(4, 4, 3, 8)},
        **{f"layers.{i}": layer() for i in range(4)},
        "ln1": norm(8),
    },
    "decode_head": {
        "depthwise": conv(3, 3, 1, 8),
        "conv_seg": conv(1, 1, 8, 2),
    },
    "auxiliary_head.0": {"conv_seg": conv(1, 1, 8, 2)},
    "auxiliary_head.1": {"conv_seg": conv(1, 1, 8, 2)},
}


def multipliers(paramwise_cfg, constructor=DEFAULT):
    rules = build_rules(constructor, paramwise_cfg)
    parameters = list_parameters(PARAMS).values()
    rules.check(parameters)
    return {
        parameter.key: (m.lr_mult, m.decay_mult)
        for parameter in parameters
        for m in [rules.multipliers(parameter)]
    }


def test_keys_are_those_of_a_state_dict():
    keys = {parameter.key for parameter in list_parameters(PARAMS).values()}
    assert {
        "backbone.cls_token",
        "backbone.patch_embed.projection.weight",
        "backbone.layers.3.ln1.weight",
        "backbone.layers.3.attn.in_proj_bias",
        "auxiliary_head.1.conv_seg.bias",
    } <= keys


def test_without_rules_all_are_one():
    assert set(multipliers(None).values()) == {(1.0, 1.0)}


# The values are those that mmengine 0.10.7 gives to modules of these names and kinds.
@pytest.mark.parametrize(
    ("paramwise_cfg", "expected"),
    [
        pytest.param(
            dict(
                custom_keys={
                    "backbone": dict(lr_mult=0.1),
                    "backbone.layers.1": dict(decay_mult=0.5),
                    "ln1": dict(decay_mult=0.0),
                }
            ),
            {
                "backbone.cls_token": (0.1, 1.0),
                "backbone.layers.1.gamma": (1.0, 0.5),
                # 'backbone' is longer than 'ln1'.
                "backbone.ln1.weight": (0.1, 1.0),
                "decode_head.conv_seg.weight": (1.0, 1.0),
            },
            id="the longest custom key decides alone",
        ),
        pytest.param(
            dict(
                custom_keys={"seg": dict(lr_mult=3.0), "_he": dict(lr_mult=2.0)},
            ),
            {
                "decode_head.conv_seg.bias": (2.0, 1.0),
                "decode_head.depthwise.bias": (2.0, 1.0),
            },
            id="equally long custom keys go by the alphabet",
        ),
        pytest.param(
            dict(
                custom_keys={"head": {}},
                bias_lr_mult=2.0,
                bias_decay_mult=0.0,
                norm_decay_mult=0.5,
            ),
            {
                "decode_head.conv_seg.bias": (1.0, 1.0),
                "backbone.patch_embed.projection.bias": (2.0, 0.0),
                "backbone.ln1.bias": (1.0, 0.5),
                "backbone.ln1.weight": (1.0, 0.5),
                "backbone.layers.0.attn.in_proj_bias": (1.0, 1.0),
            },
            id="a custom key ends the other rules",
        ),
        pytest.param(
            dict(bias_decay_mult=0.3),
            {"backbone.ln1.bias": (1.0, 0.3), "backbone.ln1.weight": (1.0, 1.0)},
            id="the bias rule reaches norm layers without a rule of their own",
        ),
        pytest.param(
            dict(dwconv_decay_mult=0.2, flat_decay_mult=0.0),
            {
                "decode_head.depthwise.weight": (1.0, 0.2),
                "decode_head.depthwise.bias": (1.0, 0.2),
                "decode_head.conv_seg.weight": (1.0, 1.0),
                "decode_head.conv_seg.bias": (1.0, 0.0),
                "backbone.layers.0.gamma": (1.0, 0.0),
            },
            id="depthwise before flat",
        ),
    ],
)
def test_default_rules_equal_mmengine(paramwise_cfg, expected):
    found = multipliers(paramwise_cfg)
    assert {key: found[key] for key in expected} == expected


# As mmseg 1.2.2's constructor goes through a parameter of each kind.
@pytest.mark.parametrize(("forced", "bias"), [(True, (2.0, 0.0)), (False, (0.1, 1.0))])
def test_rules_may_go_before_custom_keys(forced, bias):
    rules = dict(
        custom_keys={"backbone": dict(lr_mult=0.1)},
        bias_lr_mult=2.0,
        bias_decay_mult=0.0,
        force_default_settings=forced,
    )
    found = multipliers(rules, "ForceDefaultOptimWrapperConstructor")
    assert found["backbone.patch_embed.projection.bias"] == bias
    assert found["backbone.patch_embed.projection.weight"] == (0.1, 1.0)
    # Of norms the rate is left alone.
    assert found["backbone.ln1.bias"] == (0.1, bias[1])
    assert found["decode_head.conv_seg.bias"] == (2.0, 0.0)


@pytest.mark.parametrize(
    ("constructor", "paramwise_cfg", "error", "message"),
    [
        (
            DEFAULT,
            dict(custom_keys={"bakbone": dict(lr_mult=0.1)}),
            ValueError,
            (
                r"paramwise_cfg\.custom_keys\.bakbone: no parameter has this in its name "
                r"\(did you mean 'backbone'"
            ),
        ),
        (
            DEFAULT,
            dict(custom_keys={"backbone": dict(lr_mul=0.1)}),
            ConfigError,
            (
                r"^optim_wrapper\.paramwise_cfg\.custom_keys\.backbone\.lr_mul: this key is "
                r"not known \(did you mean 'lr_mult'\?\)"
            ),
        ),
        (
            DEFAULT,
            dict(norm_decay_mul=0.0),
            ConfigError,
            r"paramwise_cfg\.norm_decay_mul: .*did you mean 'norm_decay_mult'",
        ),
        (LAYER_DECAY, dict(num_layers=4), ValueError, r"decay_rate: this key is missi"),
        ("Decay", {}, ValueError, r"optim_wrapper\.constructor: 'Decay' is not known"),
    ],
)
def test_wrong_rules_are_named(constructor, paramwise_cfg, error, message):
    with pytest.raises(error, match=message):
        multipliers(paramwise_cfg, constructor)


def test_a_custom_key_without_a_match_is_logged_where_that_is_allowed(caplog):
    caplog.set_level("INFO", logger="jaxseg")
    rules = dict(custom_keys={"bakbone": dict(lr_mult=0.1)}, allow_unmatched=True)
    assert set(multipliers(rules).values()) == set(multipliers({}).values())
    assert "custom_keys.bakbone: no parameter has this name" in caplog.text


def test_multipliers_group():
    assert len({Multipliers(1, 0.0), Multipliers(1.0, 0)}) == 1


@register
@dataclasses.dataclass(frozen=True, kw_only=True)
class HeadsFaster(ParameterRules):
    """What docs/training.md has as an example."""

    factor: float = 10.0

    def multipliers(self, parameter):
        is_head = parameter.key.startswith("decode_head")
        return Multipliers(lr_mult=self.factor if is_head else 1.0)


def test_a_constructor_of_users():
    rules = build_rules("HeadsFaster", dict(factor=5.0))
    found = {
        parameter.key: rules.multipliers(parameter).lr_mult
        for parameter in list_parameters(PARAMS).values()
    }
    assert set(found.values()) == {1.0, 5.0}
    assert {key for key, mult in found.items() if mult == 5.0} == {
        key for key in found if key.startswith("decode_head.")
    }
    with pytest.raises(ConfigError, match=r"paramwise_cfg\.facto: this key is not kn"):
        build_rules("HeadsFaster", dict(facto=5.0))
    with pytest.raises(ConfigError, match=r"did you mean 'HeadsFaster'"):
        build_rules("HeadFaster", {})

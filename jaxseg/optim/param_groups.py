"""Parameter groups: learning rate and weight decay multipliers, from paramwise_cfg.

The rules are those of mmengine's DefaultOptimWrapperConstructor; `layer_decay` has those
of mmseg's LearningRateDecayOptimizerConstructor.
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from jaxseg.config import ConfigError, nearest
from jaxseg.optim.layer_decay import LayerDecayRules
from jaxseg.optim.parameters import (
    PARAMWISE_CFG,
    Multipliers,
    Parameter,
    ParameterRules,
    require_match,
)
from jaxseg.registry import fitting_types, lookup
from jaxseg.resolve import build

_log = logging.getLogger("jaxseg")


@dataclass(frozen=True, kw_only=True)
class DefaultRules(ParameterRules):
    """paramwise_cfg of DefaultOptimWrapperConstructor.

    The first custom key that is part of the parameter's key decides, the longest tried
    first (equally long ones in alphabetical order), and no other rule applies then.
    Otherwise the first weight decay rule that fits does: norm, bias, depthwise, flat.

    Attributes:
        custom_keys: {part of a key: dict(lr_mult=..., decay_mult=...)}, 1 where absent.
        bias_lr_mult: For biases, except those of norm layers.
        norm_decay_mult: For weights and biases of norm layers.
        bias_decay_mult: For biases.
        dwconv_decay_mult: For depthwise convolutions.
        flat_decay_mult: For parameters of one dimension.
        bypass_duplicate: Accepted and without effect: a tree holds no duplicates.
        allow_unmatched: A custom key that is part of no parameter's key is logged, in
            place of an error; mmseg's own configs have such keys.
    """

    custom_keys: dict = field(default_factory=dict)
    bias_lr_mult: float | None = None
    norm_decay_mult: float | None = None
    bias_decay_mult: float | None = None
    dwconv_decay_mult: float | None = None
    flat_decay_mult: float | None = None
    bypass_duplicate: bool = False
    allow_unmatched: bool = False

    force_default_settings: ClassVar[bool] = False

    def __post_init__(self):
        for name, rule in self.custom_keys.items():
            build(Multipliers, rule, f"{PARAMWISE_CFG}.custom_keys.{name}")

    def check(self, parameters: Collection[Parameter]) -> None:
        """Raises ConfigError for a custom key that is part of no parameter's key."""
        keys = [parameter.key for parameter in parameters]
        for name in self.custom_keys:
            matches = [key for key in keys if name in key]
            if not matches and self.allow_unmatched:
                _log.info(
                    "%s.custom_keys.%s: no parameter has this name", PARAMWISE_CFG, name
                )
                continue
            require_match(name, matches, keys, f"{PARAMWISE_CFG}.custom_keys")

    def multipliers(self, parameter: Parameter) -> Multipliers:
        custom = self._custom(parameter)
        if custom is not None and not self.force_default_settings:
            return custom
        start = custom or Multipliers()
        lr_mult = start.lr_mult
        has_rule = parameter.is_bias and not parameter.is_norm
        if has_rule and self.bias_lr_mult is not None:
            lr_mult = self.bias_lr_mult
        decay_rules = (
            (parameter.is_norm, self.norm_decay_mult),
            (parameter.is_bias, self.bias_decay_mult),
            (parameter.is_depthwise, self.dwconv_decay_mult),
            (len(parameter.shape) == 1, self.flat_decay_mult),
        )
        fitting = (mult for fits, mult in decay_rules if fits and mult is not None)
        return Multipliers(lr_mult, next(fitting, start.decay_mult))

    def _custom(self, parameter):
        """What the custom keys say, None where they say nothing."""
        for name in sorted(self.custom_keys, key=lambda name: (-len(name), name)):
            if name in parameter.key:
                return Multipliers(**self.custom_keys[name])
        return None


@dataclass(frozen=True, kw_only=True)
class ForceDefaultRules(DefaultRules):
    """paramwise_cfg of mmseg's ForceDefaultOptimWrapperConstructor.

    Attributes:
        force_default_settings: The other rules hold for parameters with a custom key,
            too, and go before what that says.
    """

    force_default_settings: bool = False


CONSTRUCTORS = {
    "DefaultOptimWrapperConstructor": DefaultRules,
    "ForceDefaultOptimWrapperConstructor": ForceDefaultRules,
    "LearningRateDecayOptimizerConstructor": LayerDecayRules,
}


def build_rules(
    constructor: str, paramwise_cfg: Mapping[str, Any] | None
) -> ParameterRules:
    """Builds the rules of a config; raises ConfigError with its path.

    Args:
        constructor: A name of `CONSTRUCTORS`, or a registered class of users.
        paramwise_cfg: Its keys.
    """
    own = fitting_types((), ParameterRules)
    if constructor in own:
        cls = lookup(constructor, "optim_wrapper.constructor", ())
    elif constructor in CONSTRUCTORS:
        cls = CONSTRUCTORS[constructor]
    else:
        known = sorted([*CONSTRUCTORS, *own])
        raise ConfigError(
            f"optim_wrapper.constructor: {constructor!r} is not known"
            f"{nearest(constructor, known)}; allowed are {known}"
        )
    return build(cls, paramwise_cfg or {}, PARAMWISE_CFG)

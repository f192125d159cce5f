"""Learning rate and weight decay multipliers of every parameter, from paramwise_cfg.

The rules are those of mmengine's DefaultOptimWrapperConstructor and of mmseg's
LearningRateDecayOptimizerConstructor, for a Flax tree: a parameter is known by its
PyTorch key, and its layer by the leaves beside it.
"""

import logging
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flax import traverse_util

from jaxseg.config import ConfigError, nearest
from jaxseg.errors import FieldError
from jaxseg.resolve import build
from jaxseg.weights.names import torch_key

PATH = "optim_wrapper.paramwise_cfg"

_log = logging.getLogger("jaxseg")


class Parameter(NamedTuple):
    """One leaf of the parameter tree.

    Attributes:
        key: Its key in a PyTorch state dict, 'backbone.conv1.weight'.
        shape: Its shape; kernels of 2-D convolutions are HWIO.
        is_norm: It belongs to a normalisation layer: there is a leaf `scale`.
        is_depthwise: It belongs to a convolution with one input channel a group. (As in
            mmengine, that includes every convolution of a one-channel image.)
    """

    key: str
    shape: tuple[int, ...]
    is_norm: bool
    is_depthwise: bool

    @property
    def is_bias(self) -> bool:
        """Whether it is a layer's `bias` (`in_proj_bias` of attention is none)."""
        return self.key.rpartition(".")[2] == "bias"


@dataclass(frozen=True, order=True)
class Multipliers:
    """Factors of one parameter's learning rate and weight decay."""

    lr_mult: float = 1.0
    decay_mult: float = 1.0


def list_parameters(params: Mapping[str, Any]) -> dict[tuple[str, ...], Parameter]:
    """Describes the leaves (arrays or ShapeDtypeStructs) of a Flax tree, by path."""
    leaves = traverse_util.flatten_dict(params)
    parameters = {}
    for path, leaf in leaves.items():
        kernel = leaves.get((*path[:-1], "kernel"))
        shape = () if kernel is None else kernel.shape
        parameters[path] = Parameter(
            key=torch_key(path),
            shape=tuple(leaf.shape),
            is_norm=(*path[:-1], "scale") in leaves,
            is_depthwise=len(shape) == 4 and shape[2] == 1,
        )
    return parameters


@dataclass(frozen=True, kw_only=True)
class DefaultRules:
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

    def __post_init__(self):
        for name, rule in self.custom_keys.items():
            build(Multipliers, rule, f"{PATH}.custom_keys.{name}")

    def check(self, parameters: Collection[Parameter]) -> None:
        """Raises ConfigError for a custom key that is part of no parameter's key."""
        keys = [parameter.key for parameter in parameters]
        for name in self.custom_keys:
            matches = [key for key in keys if name in key]
            if not matches and self.allow_unmatched:
                _log.info("%s.custom_keys.%s: no parameter has this name", PATH, name)
                continue
            require_match(name, matches, keys, f"{PATH}.custom_keys")

    def multipliers(self, parameter: Parameter) -> Multipliers:
        for name in sorted(self.custom_keys, key=lambda name: (-len(name), name)):
            if name in parameter.key:
                return Multipliers(**self.custom_keys[name])
        lr_mult = 1.0
        if parameter.is_bias and not parameter.is_norm:
            lr_mult = 1.0 if self.bias_lr_mult is None else self.bias_lr_mult
        decay_rules = (
            (parameter.is_norm, self.norm_decay_mult),
            (parameter.is_bias, self.bias_decay_mult),
            (parameter.is_depthwise, self.dwconv_decay_mult),
            (len(parameter.shape) == 1, self.flat_decay_mult),
        )
        fitting = (mult for fits, mult in decay_rules if fits and mult is not None)
        return Multipliers(lr_mult, next(fitting, 1.0))


@dataclass(frozen=True, kw_only=True)
class LayerDecayRules:
    """paramwise_cfg of LearningRateDecayOptimizerConstructor, for ViT-like backbones.

    The heads have the full learning rate, the last transformer layer `decay_rate` of
    it, each layer below `decay_rate` of the one above, and the patch embedding, class
    token and position table one step less than the first layer. Biases and parameters
    of one dimension have no weight decay; the class token and the position table do
    have it (mmseg 1.2.2 means to spare them, but compares with names that lack
    `backbone.`).

    Attributes:
        num_layers: Transformer layers of the backbone.
        decay_rate: Factor from one layer to the one below it.
        decay_type: 'layer_wise'.
    """

    num_layers: int
    decay_rate: float
    decay_type: str = "layer_wise"

    def __post_init__(self):
        if self.decay_type != "layer_wise":
            raise FieldError(
                f"decay_type: found {self.decay_type!r}, allowed is 'layer_wise' "
                "('stage_wise' is defined for ConvNeXt alone)"
            )

    def check(self, parameters: Collection[Parameter]) -> None:
        """Raises ConfigError unless the backbone has exactly `num_layers` layers."""
        layers = {_layer_number(parameter.key) for parameter in parameters} - {None}
        if not layers:
            raise ConfigError(
                "optim_wrapper.constructor: LearningRateDecayOptimizerConstructor needs "
                "a transformer, with parameters `backbone.layers.<n>.`; this model has "
                "none"
            )
        if max(layers) + 1 != self.num_layers:
            raise ConfigError(
                f"{PATH}.num_layers: found {self.num_layers}, but the backbone has "
                f"{max(layers) + 1} layers"
            )

    def multipliers(self, parameter: Parameter) -> Multipliers:
        flat = len(parameter.shape) == 1 or parameter.is_bias
        steps_down = self.num_layers + 1 - self._layer_id(parameter.key)
        return Multipliers(self.decay_rate**steps_down, 0.0 if flat else 1.0)

    def _layer_id(self, key: str) -> int:
        """0 for the embedding, n + 1 for layer n, num_layers + 1 for all the rest."""
        tokens = ("backbone.cls_token", "backbone.mask_token", "backbone.pos_embed")
        if key in tokens or key.startswith("backbone.patch_embed"):
            return 0
        layer = _layer_number(key)
        return self.num_layers + 1 if layer is None else layer + 1


def _layer_number(key: str) -> int | None:
    match = re.match(r"backbone\.layers\.(\d+)\.", key)
    return int(match[1]) if match else None


CONSTRUCTORS = {
    "DefaultOptimWrapperConstructor": DefaultRules,
    "LearningRateDecayOptimizerConstructor": LayerDecayRules,
}


def build_rules(
    constructor: str, paramwise_cfg: Mapping[str, Any] | None
) -> DefaultRules | LayerDecayRules:
    """Builds the rules of a config; raises ConfigError with its path."""
    if constructor not in CONSTRUCTORS:
        raise ConfigError(
            f"optim_wrapper.constructor: {constructor!r} is not known"
            f"{nearest(constructor, CONSTRUCTORS)}; allowed are {sorted(CONSTRUCTORS)}"
        )
    return build(CONSTRUCTORS[constructor], paramwise_cfg or {}, PATH)


def frozen_keys(frozen: Collection[str], keys: Collection[str]) -> set[str]:
    """The keys at or below the modules in `frozen`, which all have to be there."""
    below = {
        prefix: [key for key in keys if f"{key}.".startswith(f"{prefix}.")]
        for prefix in frozen
    }
    for prefix, matches in below.items():
        require_match(prefix, matches, keys, "frozen")
    return {key for matches in below.values() for key in matches}


def require_match(
    pattern: str, matches: Collection[str], keys: Collection[str], path: str
) -> None:
    """Raises ConfigError with the nearest names when a pattern has no match."""
    if not matches:
        modules = {
            key[: dot.start()] for key in keys for dot in re.finditer(r"\.", key)
        }
        parts = {part for key in keys for part in key.split(".")}
        raise ConfigError(
            f"{path}.{pattern}: no parameter has this in its name"
            f"{nearest(pattern, modules | parts | set(keys))}"
        )

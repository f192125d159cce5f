"""Parameters as the rules of the optimiser see them, and their multipliers.

A parameter is known by its PyTorch key, and its layer by the leaves beside it.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from flax import traverse_util

from jaxseg.config import ConfigError, nearest
from jaxseg.weights.names import torch_key

PARAMWISE_CFG = "optim_wrapper.paramwise_cfg"


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


class ParameterRules:
    """The role of `optim_wrapper.constructor`: a dataclass of `paramwise_cfg`'s keys.

    A user's own is registered under the name that `constructor` gives.
    """

    def check(self, parameters: Collection[Parameter]) -> None:
        """Raises ConfigError where the keys do not fit the model's parameters."""

    def multipliers(self, parameter: Parameter) -> Multipliers:
        """The factors of a parameter's learning rate and weight decay."""
        raise NotImplementedError


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

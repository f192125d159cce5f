"""Optimiser types that a config can name: SGD, Adam and AdamW of PyTorch, and optax's.

A config's weight decay and learning rate are those of the whole model; what a group of
parameters gets is given when its transformation is made.
"""

import inspect
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxseg.config import ConfigError, nearest
from jaxseg.errors import FieldError
from jaxseg.registry import is_registered
from jaxseg.resolve import resolve

# The types that `optim_wrapper.optimizer` can name, besides the optimisers of optax.
__all__ = ["SGD", "Adam", "AdamW"]

Factory = Callable[[Any, float | None], optax.GradientTransformation]


class BaseOptimizer(NamedTuple):
    """An optimiser before its groups.

    Attributes:
        name: Its type in the config.
        lr: The base learning rate.
        weight_decay: The base weight decay; None where the optimiser has no such
            argument.
        factory: Makes the transformation of a group from the group's learning rate (a
            number or a traced scalar) and weight decay.
    """

    name: str
    lr: float
    weight_decay: float | None
    factory: Factory


class TorchOptimizer:
    """The role of `optim_wrapper.optimizer`, beside the functions of optax.

    Attributes:
        lr: the base learning rate.
        weight_decay: the weight decay of the whole model, which groups multiply.
    """

    lr: float
    weight_decay: float

    def transform(
        self, learning_rate: Any, weight_decay: float
    ) -> optax.GradientTransformation:
        """The transformation of a group of parameters."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class SGD(TorchOptimizer):
    """torch.optim.SGD: decay is added to the gradient, before the momentum."""

    lr: float
    momentum: float = 0.0
    weight_decay: float = 0.0
    nesterov: bool = False

    def __post_init__(self):
        if self.nesterov and not self.momentum:
            raise FieldError("nesterov: needs a momentum")

    def transform(self, learning_rate, weight_decay):
        trace = optax.trace(self.momentum, self.nesterov)
        return optax.chain(
            optax.add_decayed_weights(weight_decay),
            trace if self.momentum else optax.identity(),
            optax.scale_by_learning_rate(learning_rate),
        )


@dataclass(frozen=True, kw_only=True)
class Adam(TorchOptimizer):
    """torch.optim.Adam: decay is added to the gradient, so Adam rescales it."""

    lr: float
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0

    def transform(self, learning_rate, weight_decay):
        return optax.chain(
            optax.add_decayed_weights(weight_decay),
            _scale_by_adam(self.betas, self.eps),
            optax.scale_by_learning_rate(learning_rate),
        )


@dataclass(frozen=True, kw_only=True)
class AdamW(TorchOptimizer):
    """torch.optim.AdamW: weights shrink by learning rate x decay, besides Adam."""

    lr: float
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.01

    def transform(self, learning_rate, weight_decay):
        return optax.chain(
            _scale_by_adam(self.betas, self.eps),
            optax.add_decayed_weights(weight_decay),
            optax.scale_by_learning_rate(learning_rate),
        )


def _scale_by_adam(betas: tuple[float, float], eps: float):
    """optax.scale_by_adam with a bias correction that float32 can hold.

    optax computes 1 - 0.999 ** count in float32, which is off by 1.3e-5 in the first
    step; torch computes it in float64.
    """

    def correction(beta, count):
        return -jnp.expm1(count * (math.log(beta) if beta else -math.inf))

    def update(grads, state, params=None):
        count = state.count + 1
        mu = optax.tree.update_moment(grads, state.mu, betas[0], 1)
        nu = optax.tree.update_moment(grads, state.nu, betas[1], 2)
        scale_1, scale_2 = (correction(beta, count) for beta in betas)
        updates = jax.tree.map(
            lambda m, v: (m / scale_1) / (jnp.sqrt(v / scale_2) + eps), mu, nu
        )
        return updates, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(optax.scale_by_adam(*betas).init, update)


def build_optimizer(config: Mapping[str, Any]) -> BaseOptimizer:
    """Builds `optim_wrapper.optimizer`.

    Args:
        config: `dict(type=..., lr=..., ...)`: 'SGD', 'Adam' or 'AdamW' with torch's
            arguments and defaults, or the name of an optimiser of optax with optax's
            arguments, but for `lr`. (The Adam of optax is 'adam'.)

    Raises:
        ConfigError: The config is wrong; the message names the config path.
    """
    path = "optim_wrapper.optimizer"
    name = config.get("type")
    functions = _optax_optimizers()
    if isinstance(name, str) and (name in __all__ or is_registered(name)):
        table = sys.modules[__name__]
        optimizer = resolve(config, path, (table,), TorchOptimizer)
        return BaseOptimizer(
            name, optimizer.lr, optimizer.weight_decay, optimizer.transform
        )
    if not isinstance(name, str) or name not in functions:
        allowed = [*__all__, *sorted(functions)]
        raise ConfigError(
            f"{path}.type: {name!r} is not known{nearest(name, allowed)}; allowed are "
            f"{', '.join(allowed)}"
        )

    known = inspect.signature(functions[name]).parameters
    options = {key: value for key, value in config.items() if key != "type"}
    allowed = {"lr"} | known.keys() - {"learning_rate"}
    for key in options:
        if key not in allowed:
            raise ConfigError(
                f"{path}.{key}: this key is not known{nearest(key, allowed)}; allowed "
                f"are {', '.join(sorted(allowed))}"
            )
    if not isinstance(options.get("lr"), (int, float)):
        raise ConfigError(f"{path}.lr: expected a number, found {options.get('lr')!r}")
    lr = options.pop("lr")
    if "weight_decay" not in known:
        return BaseOptimizer(
            name, lr, None, lambda rate, _: functions[name](rate, **options)
        )
    weight_decay = options.pop("weight_decay", known["weight_decay"].default)
    return BaseOptimizer(
        name,
        lr,
        weight_decay,
        lambda rate, decay: functions[name](rate, weight_decay=decay, **options),
    )


def _optax_optimizers() -> dict[str, Callable[..., optax.GradientTransformation]]:
    """optax's optimisers by name: functions whose first argument is learning_rate."""
    functions = {
        name: value
        for name, value in vars(optax).items()
        if inspect.isfunction(value) and not name.startswith(("_", "scale_by_"))
    }
    # L-BFGS is left out: its line search evaluates the loss again and again.
    return {
        name: function
        for name, function in functions.items()
        if next(iter(inspect.signature(function).parameters), "") == "learning_rate"
        and name != "lbfgs"
    }

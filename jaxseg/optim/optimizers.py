"""Optimiser types that a config can name: PyTorch's, optax's and those of users.

A config's weight decay and learning rate are those of the whole model; what a group of
parameters gets is given when its transformation is made.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import optax
import optax.contrib

from jaxseg.config import ConfigError, nearest
from jaxseg.optim import torch_optimizers
from jaxseg.optim.torch_optimizers import TorchOptimizer
from jaxseg.registry import base_name, is_registered
from jaxseg.resolve import resolve

# rate, weight decay, momentum (None: that of the config)
Factory = Callable[[Any, float | None, Any], optax.GradientTransformation]

# Optimisers of optax.contrib that need nothing but the gradients.
_OF_CONTRIB = ("muon", "schedule_free_adamw", "schedule_free_sgd")

# Names that other libraries have for optimisers of optax.
_OTHER_NAMES = {
    "Adafactor": "adafactor",
    "LAMB": "lamb",
    "Lamb": "lamb",
    "Lion": "lion",
    "Muon": "muon",
}


class BaseOptimizer(NamedTuple):
    """An optimiser before its groups.

    Attributes:
        name: Its type in the config.
        lr: The base learning rate.
        weight_decay: The base weight decay; None where the optimiser has no such
            argument.
        momentum: What schedules of the momentum change; None where there is none.
        factory: Makes the transformation of a group from the group's learning rate (a
            number or a traced scalar), weight decay, and momentum (a traced scalar;
            None takes the config's).
    """

    name: str
    lr: float
    weight_decay: float | None
    momentum: float | None
    factory: Factory


def is_known(name: Any) -> bool:
    """Whether `optim_wrapper.optimizer.type` can be this."""
    known = (*torch_optimizers.__all__, *_OTHER_NAMES, *_optax_optimizers())
    return isinstance(name, str) and (base_name(name) in known or is_registered(name))


def build_optimizer(config: Mapping[str, Any]) -> BaseOptimizer:
    """Builds `optim_wrapper.optimizer`.

    Args:
        config: `dict(type=..., lr=..., ...)`: one of `torch_optimizers` with torch's
            arguments and defaults, or the name of an optimiser of optax with optax's
            arguments, but for `lr`. (The Adam of optax is 'adam'.)

    Raises:
        ConfigError: The config is wrong; the message names the config path.
    """
    path = "optim_wrapper.optimizer"
    name = config.get("type")
    functions = _optax_optimizers()
    if isinstance(name, str) and base_name(name) in ("LBFGS", "lbfgs"):
        raise ConfigError(
            f"{path}.type: {name} evaluates the loss of the same batch again and again "
            "in one step, and its curvature is worth nothing where every batch is "
            "another; take SGD or AdamW"
        )
    known = isinstance(name, str) and (
        base_name(name) in torch_optimizers.__all__ or is_registered(name)
    )
    if known:
        optimizer = resolve(config, path, (torch_optimizers,), TorchOptimizer)
        return BaseOptimizer(
            name,
            optimizer.lr,
            optimizer.weight_decay,
            optimizer.base_momentum,
            functools.partial(_of_torch, optimizer),
        )
    if isinstance(name, str):
        name = _OTHER_NAMES.get(base_name(name), name)
    if not isinstance(name, str) or name not in functions:
        allowed = [*torch_optimizers.__all__, *sorted(functions)]
        raise ConfigError(
            f"{path}.type: {name!r} is not known{nearest(name, allowed)}; allowed are "
            f"{', '.join(allowed)}"
        )
    return _of_optax(name, functions[name], config, path)


def _of_torch(optimizer, rate, decay, momentum):
    if momentum is not None:
        optimizer = optimizer.with_momentum(momentum)
    return optimizer.transform(rate, decay)


def _of_optax(name, function, config, path) -> BaseOptimizer:
    known = inspect.signature(function).parameters
    options = {key: value for key, value in config.items() if key != "type"}
    betas = options.get("betas")  # as other libraries have b1 and b2
    if {"b1", "b2"} <= known.keys() and isinstance(betas, (list, tuple)):
        del options["betas"]
        options |= dict(zip(("b1", "b2"), betas))
    allowed = {"lr"} | known.keys() - {"learning_rate"}
    for key in options:
        if key not in allowed:
            raise ConfigError(
                f"{path}.{key}: this key is not known{nearest(key, allowed)}; allowed "
                f"are {', '.join(sorted(allowed))}"
            )
    if not isinstance(options.get("lr"), (int, float)):
        raise ConfigError(f"{path}.lr: expected a number, found {options.get('lr')!r}")
    lr, decay = options.pop("lr"), None
    if "weight_decay" in known:
        # schedule_free_sgd's default is None, which is 0.
        decay = options.pop("weight_decay", known["weight_decay"].default) or 0.0

    def factory(rate, decay, momentum):
        decayed = {} if decay is None else {"weight_decay": decay}
        return function(rate, **decayed, **options)

    return BaseOptimizer(name, lr, decay, None, factory)


def _optax_optimizers() -> dict[str, Callable[..., optax.GradientTransformation]]:
    """optax's optimisers by name: functions whose first argument is learning_rate."""
    functions = {
        name: value
        for name, value in vars(optax).items()
        if inspect.isfunction(value) and not name.startswith(("_", "scale_by_"))
    } | {name: getattr(optax.contrib, name) for name in _OF_CONTRIB}
    # L-BFGS is left out: its line search evaluates the loss again and again.
    return {
        name: function
        for name, function in functions.items()
        if next(iter(inspect.signature(function).parameters), "") == "learning_rate"
        and name != "lbfgs"
    }

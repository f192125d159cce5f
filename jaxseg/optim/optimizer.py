"""Optimisers of a config, with PyTorch's arithmetic and MMSegmentation's groups.

An optimiser is one optax chain: gradient clipping over all trained parameters, then one
transformation for each pair of learning rate and weight decay multipliers
(`param_groups`), and nothing at all, neither update nor state, for frozen parameters.

The learning rate follows the iteration of the training state and no counter of its own:
`update(grads, opt_state, params, step=step)`. So it stays right where a step is skipped
(mmengine's schedulers move on) and where gradients accumulate (there `step` is the
iteration of the last part, since mmengine counts every part as an iteration).

With `accumulative_counts` the gradients of so many iterations are averaged, and the
parameters move in the last of them.
"""

import math
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
import optax.contrib
from flax import traverse_util

from jaxseg.config import ConfigError
from jaxseg.errors import FieldError
from jaxseg.optim.clip_grad import ClipGrad
from jaxseg.optim.freezing import frozen_until, trained_from, without_frozen
from jaxseg.optim.optimizers import BaseOptimizer, build_optimizer
from jaxseg.optim.param_groups import build_rules
from jaxseg.optim.parameters import Multipliers, frozen_keys, list_parameters
from jaxseg.optim.plateau import Plateau
from jaxseg.optim.schedule import (
    make_momentum_schedule,
    make_plateaus,
    make_schedule,
)
from jaxseg.registry import lookup
from jaxseg.resolve import build

# The types that `optim_wrapper` can name.
__all__ = ["AmpOptimWrapper", "OptimWrapper"]


class Optimizer(NamedTuple):
    """What the training needs of an `optim_wrapper`.

    Attributes:
        transform: `init(params)` and `update(grads, opt_state, params, step=step,
            plateaus=states)`, with `step` the iteration, from 0, an integer scalar, and
            the states of `plateaus` (() where there are none).
        learning_rate: Schedule of the parameters without a multiplier: iteration, and
            the states of `plateaus` -> float32 scalar, for the log.
        description: What was understood, for the log: a line for the optimiser and one
            for every group.
        averages: Whether the state holds an average of the parameters, which is what is
            evaluated (`averaged_parameters`).
        plateaus: What evaluations reduce.
    """

    transform: optax.GradientTransformationExtraArgs
    learning_rate: optax.Schedule
    description: str
    averages: bool
    plateaus: tuple[Plateau, ...] = ()


@dataclass(frozen=True, kw_only=True)
class OptimWrapper:
    """The keys of `optim_wrapper`.

    Attributes:
        optimizer: Type, `lr` and the arguments of the optimiser.
        paramwise_cfg: Rules of the constructor.
        constructor: What makes the groups of parameters.
        clip_grad: Of gradients (`clip_grad`).
        frozen: Parameters that are not trained, or not yet (`freezing`).
        accumulative_counts: Iterations whose gradients are averaged.
    """

    optimizer: dict
    paramwise_cfg: dict | None = None
    constructor: str = "DefaultOptimWrapperConstructor"
    clip_grad: dict | None = None
    frozen: tuple[str | dict, ...] = ()
    accumulative_counts: int = 1

    def __post_init__(self):
        if self.accumulative_counts < 1:
            raise FieldError(
                f"accumulative_counts: needs to be >= 1, found "
                f"{self.accumulative_counts}"
            )


@dataclass(frozen=True, kw_only=True)
class AmpOptimWrapper(OptimWrapper):
    """Asks the training step for bfloat16 compute.

    bfloat16 has the exponents of float32, so `loss_scale`, which keeps float16
    gradients from vanishing, has no work to do here.
    """

    loss_scale: float | str | dict | None = None
    dtype: str = "bfloat16"

    def __post_init__(self):
        super().__post_init__()
        if self.dtype != "bfloat16":
            raise FieldError(f"dtype: found {self.dtype!r}, allowed is 'bfloat16'")


def make_optimizer(
    optim_wrapper: Mapping[str, Any],
    param_scheduler: Sequence[Mapping[str, Any]],
    max_iters: int,
    params: Mapping[str, Any],
    frozen: Collection[str] = (),
    epoch_length: int | None = None,
) -> Optimizer:
    """Builds the optimiser of a config for a model's parameters.

    Args:
        optim_wrapper: The config's dict: `optimizer`, and optionally `paramwise_cfg`,
            `constructor`, `clip_grad`, `accumulative_counts`. Its type, as far as it
            means a compute dtype, concerns the model and is only checked here.
        param_scheduler: The config's list, see `make_schedule`.
        max_iters: Iterations of the training.
        params: The Flax parameter tree, of arrays or ShapeDtypeStructs.
        frozen: PyTorch keys of modules or parameters to leave as they are,
            `('backbone.conv1', 'backbone.layer1')`.
        epoch_length: Iterations of an epoch, in a run of epochs.

    Returns:
        An `Optimizer`.

    Raises:
        ConfigError: The config is wrong, or a pattern in it fits no parameter; the
            message names the config path.
    """
    if not isinstance(optim_wrapper, Mapping):
        raise ConfigError(f"optim_wrapper is {optim_wrapper!r:.80}, it takes a dict")
    name = optim_wrapper.get("type", "OptimWrapper")
    cls = lookup(name, "optim_wrapper", (sys.modules[__name__],))
    keys = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in optim_wrapper.items()
        if key != "type"
    }
    wrapper = build(cls, keys, "optim_wrapper")
    base = build_optimizer(wrapper.optimizer)
    schedule_of = make_schedule(param_scheduler, max_iters, epoch_length)
    momentum = _momentum(base, param_scheduler, max_iters, epoch_length)
    groups = _group(wrapper, params, frozen)
    if base.weight_decay is None and any(
        g and g.multipliers.decay_mult != 1 for g in groups.values()
    ):
        raise ConfigError(
            "optim_wrapper.paramwise_cfg: multiplies the weight decay, which "
            f"{base.name} does not have"
        )

    transform = _of_groups(
        groups, lambda group: _follow(base, schedule_of, momentum, group)
    )
    is_trained = traverse_util.unflatten_dict(
        {p: g is not None for p, g in groups.items()}
    )
    clip = None
    if wrapper.clip_grad is not None:
        clip = build(ClipGrad, wrapper.clip_grad, "optim_wrapper.clip_grad")
        transform = optax.chain(optax.masked(clip.transform(), is_trained), transform)
    until = {path: group.until if group else 0 for path, group in groups.items()}
    if any(until.values()):
        transform = optax.chain(
            without_frozen(traverse_util.unflatten_dict(until)), transform
        )
    if wrapper.accumulative_counts > 1:
        transform = _accumulate(
            transform, wrapper.accumulative_counts, max_iters, is_trained
        )
    return Optimizer(
        transform,
        schedule_of(base.lr),
        _describe(wrapper, base, clip, groups, params),
        averages=base.name.startswith("schedule_free"),
        plateaus=tuple(make_plateaus(param_scheduler).values()),
    )


def averaged_parameters(params: Any, opt_state: Any) -> Any:
    """The average that a schedule-free optimiser has of the parameters.

    Defazio et al., The Road Less Scheduled, arXiv:2405.15682: the steps are taken at a
    point between the average and the fast iterate z. Frozen parameters stay as they are.
    """
    is_one = lambda node: isinstance(node, optax.contrib.ScheduleFreeState)
    for state in jax.tree.leaves(opt_state, is_leaf=is_one):
        if is_one(state):
            params = jax.tree.map(
                lambda z, y, b1=state.b1: (
                    y
                    if isinstance(z, optax.MaskedNode)
                    else (y - (1 - b1) * z.astype(y.dtype)) / b1
                ),
                *(state.z, params),
                is_leaf=lambda node: isinstance(node, optax.MaskedNode),
            )
    return params


@dataclass(frozen=True, order=True)
class _Group:
    """What parameters of one group have alike: `until` iterations they are frozen."""

    multipliers: Multipliers
    until: int = 0


def _group(
    wrapper: OptimWrapper, params: Mapping[str, Any], frozen: Collection[str]
) -> dict[tuple[str, ...], _Group | None]:
    """The group of every parameter by its path; None where it is frozen for good."""
    parameters = list_parameters(params)
    rules = build_rules(wrapper.constructor, wrapper.paramwise_cfg)
    rules.check(parameters.values())
    keys = [parameter.key for parameter in parameters.values()]
    until = frozen_until(wrapper.frozen, keys)
    until |= dict.fromkeys(frozen_keys(frozen, keys))
    return {
        path: None
        if until.get(parameter.key, 0) is None
        else _Group(rules.multipliers(parameter), until.get(parameter.key, 0))
        for path, parameter in parameters.items()
    }


def _momentum(
    base: BaseOptimizer, param_scheduler, max_iters, epoch_length
) -> optax.Schedule:
    """The schedule of the momentum; None at every step where it stays."""
    schedule_of = make_momentum_schedule(param_scheduler, max_iters, epoch_length)
    if schedule_of is None:
        return lambda step, plateaus=(): None
    if base.momentum is None:
        raise ConfigError(
            f"param_scheduler: changes the momentum, which {base.name} does not have"
        )
    return schedule_of(base.momentum)


def _of_groups(
    groups: Mapping[tuple[str, ...], _Group | None],
    transform_of: Callable[[_Group], optax.GradientTransformationExtraArgs],
) -> optax.GradientTransformationExtraArgs:
    """One transformation a group, and none of what is frozen for good."""
    trained = sorted({group for group in groups.values() if group}, reverse=True)
    labels = {group: f"group_{i}" for i, group in enumerate(trained)}
    transforms = {labels[group]: transform_of(group) for group in trained}
    labels[None], transforms["frozen"] = "frozen", optax.set_to_zero()
    tree = traverse_util.unflatten_dict({p: labels[g] for p, g in groups.items()})
    return optax.partition(transforms, tree)


def _follow(
    base: BaseOptimizer,
    schedule_of: Callable[[float], optax.Schedule],
    momentum: optax.Schedule,
    group: _Group,
) -> optax.GradientTransformationExtraArgs:
    """The optimiser of one group, made anew for the learning rate of every step."""
    schedule = schedule_of(base.lr * group.multipliers.lr_mult)
    decay = base.weight_decay
    if decay is not None:
        decay *= group.multipliers.decay_mult

    def init(params):
        return base.factory(schedule(0), decay, momentum(0)).init(params)

    def update(updates, state, params=None, *, step, plateaus=(), **_):
        rate, momentum_now = schedule(step, plateaus), momentum(step, plateaus)
        optimizer = base.factory(rate, decay, momentum_now)
        return optimizer.update(updates, state, params)

    transform = optax.GradientTransformationExtraArgs(init, update)
    return trained_from(transform, group.until)


def _accumulate(
    transform: optax.GradientTransformationExtraArgs,
    counts: int,
    max_iters: int,
    is_trained: Any,
) -> optax.GradientTransformationExtraArgs:
    """Hands every `counts` gradients on as one, their mean; zero updates in between.

    As in mmengine, what is left before `max_iters` makes a last, shorter mean.
    """
    whole = max_iters // counts

    def counts_of(update):
        return jnp.where(update < whole, counts, max(max_iters % counts, 1))

    steps = optax.MultiSteps(transform, counts_of)
    # Its own gradient_transformation() would drop the argument `step`.
    trained = optax.GradientTransformationExtraArgs(steps.init, steps.update)
    # Frozen parameters have no sum of gradients either.
    return optax.partition(
        {"trained": trained, "frozen": optax.set_to_zero()},
        jax.tree.map(lambda one: "trained" if one else "frozen", is_trained),
    )


def _describe(wrapper, base, clip, groups, params) -> str:
    leaves = traverse_util.flatten_dict(params)
    lines = [f"{base.name}: lr {base.lr:g}, weight decay {base.weight_decay or 0:g}"]
    if clip is not None:
        lines.append(str(clip))
    if wrapper.accumulative_counts > 1:
        lines.append(f"gradients of {wrapper.accumulative_counts} iterations averaged")
    if isinstance(wrapper, AmpOptimWrapper):
        lines.append("AmpOptimWrapper: bfloat16 compute; loss_scale is not needed")
    for group in dict.fromkeys(groups.values()):
        sizes = [math.prod(leaves[p].shape) for p, g in groups.items() if g == group]
        what = "frozen"
        if group:
            mults = group.multipliers
            what = f"lr x {mults.lr_mult:g}, weight decay x {mults.decay_mult:g}"
            if group.until:
                what += f", frozen for {group.until} iterations"
        lines.append(f"  {what}: {len(sizes)} tensors, {sum(sizes):,} values")
    return "\n".join(lines)

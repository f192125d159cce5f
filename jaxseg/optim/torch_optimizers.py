"""Optimisers by PyTorch's names, with PyTorch's arithmetic and defaults.

What PyTorch computes in float64 from the number of steps (bias corrections, NAdam's
products) is computed here from logarithms, so that float32 holds it.
"""

import copy
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxseg.errors import FieldError

# The types that `optim_wrapper.optimizer` can name, besides those of optax.
__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "NAdam",
    "RAdam",
    "RMSprop",
]


class TorchOptimizer:
    """The role of `optim_wrapper.optimizer`, beside the functions of optax.

    Attributes:
        lr: the base learning rate.
        weight_decay: the weight decay of the whole model, which groups multiply.
    """

    lr: float
    weight_decay: float

    @property
    def base_momentum(self) -> float | None:
        """What schedules of the momentum change: `momentum`, or the first of `betas`."""
        betas = getattr(self, "betas", (None,))
        return getattr(self, "momentum", betas[0])

    def with_momentum(self, momentum: Any) -> "TorchOptimizer":
        """The same with another momentum, a number or a traced scalar."""
        changed = copy.copy(self)
        if hasattr(self, "momentum"):
            object.__setattr__(changed, "momentum", momentum)
        else:
            object.__setattr__(changed, "betas", (momentum, *self.betas[1:]))
        return changed

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
        trace = optax.identity()
        if _is_there(self.momentum):
            trace = optax.trace(self.momentum, self.nesterov)
        return _decayed(weight_decay, trace, learning_rate)


@dataclass(frozen=True, kw_only=True)
class Adam(TorchOptimizer):
    """torch.optim.Adam: decay is added to the gradient, so Adam rescales it."""

    lr: float
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0

    def transform(self, learning_rate, weight_decay):
        moments = _scale_by_adam(self.betas, self.eps)
        return _decayed(weight_decay, moments, learning_rate)


@dataclass(frozen=True, kw_only=True)
class AdamW(TorchOptimizer):
    """torch.optim.AdamW: weights shrink by learning rate x decay, besides Adam."""

    lr: float
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.01

    def transform(self, learning_rate, weight_decay):
        moments = _scale_by_adam(self.betas, self.eps)
        return _decayed(weight_decay, moments, learning_rate, decoupled=True)


@dataclass(frozen=True, kw_only=True)
class Adamax(TorchOptimizer):
    """torch.optim.Adamax: Adam whose second moment is a decaying maximum."""

    lr: float = 2e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0

    def transform(self, learning_rate, weight_decay):
        def direction(count, grads, mu, nu):
            mu = optax.tree.update_moment(grads, mu, self.betas[0], 1)
            nu = jax.tree.map(
                lambda v, g: jnp.maximum(self.betas[1] * v, jnp.abs(g) + self.eps),
                *(nu, grads),
            )
            scale = _one_minus_power(self.betas[0], count)
            return jax.tree.map(lambda m, v: m / scale / v, mu, nu), (mu, nu)

        return _decayed(weight_decay, _by_moments(direction, 2), learning_rate)


@dataclass(frozen=True, kw_only=True)
class Adagrad(TorchOptimizer):
    """torch.optim.Adagrad: divides by the root of the sum of all squares so far."""

    lr: float = 1e-2
    lr_decay: float = 0.0
    weight_decay: float = 0.0
    initial_accumulator_value: float = 0.0
    eps: float = 1e-10

    def transform(self, learning_rate, weight_decay):
        def direction(count, grads, total):
            total = jax.tree.map(lambda t, g: t + g * g, total, grads)
            scale = 1 / (1 + (count - 1) * self.lr_decay)
            root = lambda g, t: scale * g / (jnp.sqrt(t) + self.eps)
            return jax.tree.map(root, grads, total), (total,)

        moments = _by_moments(direction, 1, self.initial_accumulator_value)
        return _decayed(weight_decay, moments, learning_rate)


@dataclass(frozen=True, kw_only=True)
class Adadelta(TorchOptimizer):
    """torch.optim.Adadelta: the ratio of the roots of mean squares of steps and slopes."""

    lr: float = 1.0
    rho: float = 0.9
    eps: float = 1e-6
    weight_decay: float = 0.0

    def transform(self, learning_rate, weight_decay):
        def direction(count, grads, squares, steps):
            squares = optax.tree.update_moment(grads, squares, self.rho, 2)
            moved = jax.tree.map(
                lambda g, v, d: jnp.sqrt(d + self.eps) / jnp.sqrt(v + self.eps) * g,
                *(grads, squares, steps),
            )
            steps = optax.tree.update_moment(moved, steps, self.rho, 2)
            return moved, (squares, steps)

        return _decayed(weight_decay, _by_moments(direction, 2), learning_rate)


@dataclass(frozen=True, kw_only=True)
class RMSprop(TorchOptimizer):
    """torch.optim.RMSprop: eps is added to the root; the momentum is that of SGD.

    Attributes:
        alpha: Decay of the mean squares.
        centered: Divides by the deviation: the square of the mean gradient is taken off.
    """

    lr: float = 1e-2
    alpha: float = 0.99
    eps: float = 1e-8
    weight_decay: float = 0.0
    momentum: float = 0.0
    centered: bool = False

    def transform(self, learning_rate, weight_decay):
        def direction(count, grads, squares, *means):
            squares = optax.tree.update_moment(grads, squares, self.alpha, 2)
            variance = squares
            if self.centered:
                means = (optax.tree.update_moment(grads, means[0], self.alpha, 1),)
                variance = jax.tree.map(lambda v, m: v - m * m, squares, means[0])
            root = lambda g, v: g / (jnp.sqrt(v) + self.eps)
            return jax.tree.map(root, grads, variance), (squares, *means)

        moments = _by_moments(direction, 1 + self.centered)
        if _is_there(self.momentum):
            moments = optax.chain(moments, optax.trace(self.momentum))
        return _decayed(weight_decay, moments, learning_rate)


@dataclass(frozen=True, kw_only=True)
class NAdam(TorchOptimizer):
    """torch.optim.NAdam: Adam with Nesterov's momentum (Dozat 2016).

    Attributes:
        momentum_decay: How fast the momentum goes from half of betas[0] to all of it.
        decoupled_weight_decay: Weights shrink by learning rate x decay, as in AdamW.
    """

    lr: float = 2e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    momentum_decay: float = 4e-3
    decoupled_weight_decay: bool = False

    def transform(self, learning_rate, weight_decay):
        momentum = lambda count: (
            self.betas[0] * (1 - 0.5 * 0.96 ** (count * self.momentum_decay))
        )

        def init(params):
            zeros = jax.tree.map(jnp.zeros_like, params)
            count, product = jnp.zeros((), jnp.int32), jnp.ones(())
            return _NAdamState(count, product, zeros, jax.tree.map(jnp.copy, zeros))

        def update(grads, state, params=None):
            count = state.count + 1
            now, following = momentum(count), momentum(count + 1)
            product = state.product * now
            mu = optax.tree.update_moment(grads, state.mu, self.betas[0], 1)
            nu = optax.tree.update_moment(grads, state.nu, self.betas[1], 2)
            of_grad = (1 - now) / (1 - product)
            of_mu = following / (1 - product * following)
            scale = _one_minus_power(self.betas[1], count)
            moved = jax.tree.map(
                lambda g, m, v: (
                    (of_grad * g + of_mu * m) / (jnp.sqrt(v / scale) + self.eps)
                ),
                *(grads, mu, nu),
            )
            return moved, _NAdamState(count, product, mu, nu)

        moments = optax.GradientTransformation(init, update)
        decoupled = self.decoupled_weight_decay
        return _decayed(weight_decay, moments, learning_rate, decoupled)


class _NAdamState(NamedTuple):
    """`product`: of the momenta of all steps so far."""

    count: Any
    product: Any
    mu: Any
    nu: Any


@dataclass(frozen=True, kw_only=True)
class RAdam(TorchOptimizer):
    """torch.optim.RAdam: Adam without its second moment until that can be trusted.

    Liu et al., On the Variance of the Adaptive Learning Rate, arXiv:1908.03265.

    Attributes:
        decoupled_weight_decay: Weights shrink by learning rate x decay, as in AdamW.
    """

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    decoupled_weight_decay: bool = False

    def transform(self, learning_rate, weight_decay):
        longest = 2 / (1 - self.betas[1]) - 1

        def direction(count, grads, mu, nu):
            mu = optax.tree.update_moment(grads, mu, self.betas[0], 1)
            nu = optax.tree.update_moment(grads, nu, self.betas[1], 2)
            scale_1, scale_2 = (_one_minus_power(beta, count) for beta in self.betas)
            length = longest - 2 * count * (1 - scale_2) / scale_2
            trusted = length > 5
            safe = jnp.where(trusted, length, longest)
            ratio = (safe - 4) * (safe - 2) * longest
            rectified = jnp.sqrt(ratio / ((longest - 4) * (longest - 2) * safe))

            def of(m, v):
                adaptive = jnp.sqrt(scale_2) / (jnp.sqrt(v) + self.eps)
                return m / scale_1 * jnp.where(trusted, rectified * adaptive, 1.0)

            return jax.tree.map(of, mu, nu), (mu, nu)

        moments = _by_moments(direction, 2)
        decoupled = self.decoupled_weight_decay
        return _decayed(weight_decay, moments, learning_rate, decoupled)


def _is_there(momentum: Any) -> bool:
    """Whether a momentum is more than the number 0; a schedule's is traced."""
    return not isinstance(momentum, (int, float)) or momentum != 0


def _decayed(
    weight_decay: float,
    moments: optax.GradientTransformation,
    learning_rate: Any,
    decoupled: bool = False,
) -> optax.GradientTransformation:
    """Decay is added to the gradient; decoupled, to the step."""
    parts = [optax.add_decayed_weights(weight_decay), moments]
    parts = parts[::-1] if decoupled else parts
    return optax.chain(*parts, optax.scale_by_learning_rate(learning_rate))


class _Moments(NamedTuple):
    """The number of steps, and trees of the parameters' structure."""

    count: Any
    moments: tuple[Any, ...]


def _by_moments(
    direction: Any, number: int, first: float = 0.0
) -> optax.GradientTransformation:
    """A transformation with moments that begin at one value.

    Args:
        direction: (count, grads, *moments) -> (updates, moments); count is 1 in the
            first step.
        number: How many moments.
        first: Their first value.
    """

    def init(params):
        fill = lambda _: jax.tree.map(lambda p: jnp.full_like(p, first), params)
        return _Moments(jnp.zeros((), jnp.int32), tuple(map(fill, range(number))))

    def update(grads, state, params=None):
        count = state.count + 1
        updates, moments = direction(count, grads, *state.moments)
        return updates, _Moments(count, tuple(moments))

    return optax.GradientTransformation(init, update)


def _one_minus_power(beta: Any, count: Any) -> jax.Array:
    """1 - beta ** count, which float32 can hold only by its logarithm.

    1 - 0.999 ** count in float32 is off by 1.3e-5 in the first step; torch computes it
    in float64.
    """
    if not isinstance(beta, (int, float)):
        return -jnp.expm1(count * jnp.log(beta))
    return -jnp.expm1(count * (math.log(beta) if beta else -math.inf))


def _scale_by_adam(betas: tuple[Any, float], eps: float):
    """optax.scale_by_adam with the bias correction of torch."""

    def update(grads, state, params=None):
        count = state.count + 1
        mu = optax.tree.update_moment(grads, state.mu, betas[0], 1)
        nu = optax.tree.update_moment(grads, state.nu, betas[1], 2)
        scale_1, scale_2 = (_one_minus_power(beta, count) for beta in betas)
        updates = jax.tree.map(
            lambda m, v: (m / scale_1) / (jnp.sqrt(v / scale_2) + eps), mu, nu
        )
        return updates, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(optax.scale_by_adam().init, update)

"""Activations, and the `act_cfg` entries that name them."""

import dataclasses
import functools
import math
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.ops.narrow import spread, wide


class Act:
    """The role of `act_cfg`: called with a name, an entry makes the function.

    It is the name of the activation among its parent's modules in a checkpoint, which
    matters where it has parameters: `act_cfg(name="activate")(x)`.

    Attributes:
        takes_padding, takes_bands: as of a backbone.
    """

    takes_padding = False
    takes_bands = False

    def __call__(self, name: str) -> Callable[[jax.Array], jax.Array]:
        """The function of a map's values, which keeps their shape and type."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class ReLU(Act):
    """max(x, 0)."""

    takes_padding = True
    takes_bands = True

    def __call__(self, name):
        return jax.nn.relu


@dataclasses.dataclass(frozen=True)
class ReLU6(Act):
    """min(max(x, 0), 6)."""

    takes_padding = True
    takes_bands = True

    def __call__(self, name):
        return jax.nn.relu6


@dataclasses.dataclass(frozen=True)
class QuickGELU(Act):
    """x sigmoid(1.702 x), which CLIP has for GELU."""

    takes_padding = True
    takes_bands = True

    def __call__(self, name):
        return _in_float32(lambda x: x * jax.nn.sigmoid(1.702 * x))


@dataclasses.dataclass(frozen=True)
class LeakyReLU(Act):
    """x where positive, else `negative_slope * x`."""

    negative_slope: float = 0.01

    takes_padding = True
    takes_bands = True

    def __call__(self, name):
        return _in_float32(
            functools.partial(jax.nn.leaky_relu, negative_slope=self.negative_slope)
        )


def _in_float32(function):
    """A function of single values, whose own numbers bfloat16 would round."""
    return lambda x: function(wide(x)).astype(x.dtype)


class _PReLU(nn.Module):
    num_parameters: int
    start: float

    @nn.compact
    def __call__(self, x):
        init = nn.initializers.constant(self.start)
        slope = self.param("slope", init, (self.num_parameters,))
        return jnp.where(x >= 0, x, spread(slope, x) * x)


@dataclasses.dataclass(frozen=True)
class PReLU(Act):
    """x where positive, else x times a slope that is learnt.

    https://arxiv.org/abs/1502.01852

    Attributes:
        num_parameters: 1, or the number of channels for a slope a channel.
        init: starting value of the slope.
    """

    num_parameters: int = 1
    init: float = 0.25

    takes_padding = True
    takes_bands = True

    def __call__(self, name):
        return _PReLU(self.num_parameters, self.init, name=name)


@dataclasses.dataclass(frozen=True)
class ELU(Act):
    """x where positive, else `alpha * (exp(x) - 1)`. https://arxiv.org/abs/1511.07289"""

    alpha: float = 1.0

    takes_padding = True
    takes_bands = True

    def __call__(self, name):
        return _in_float32(functools.partial(jax.nn.elu, alpha=self.alpha))


def _gelu(x):
    # As torch says it, by erf: jax.nn.gelu's erfc takes three times as long on a CPU.
    return 0.5 * x * (1 + jax.lax.erf(x * math.sqrt(0.5)))


@dataclasses.dataclass(frozen=True)
class GELU(Act):
    """x times the normal distribution function, exact as torch's default."""

    takes_padding = True
    takes_bands = True

    def __call__(self, name):
        return _in_float32(_gelu)


@dataclasses.dataclass(frozen=True)
class Sigmoid(Act):
    """1 / (1 + exp(-x))."""

    takes_padding = True
    takes_bands = True

    def __call__(self, name):
        return jax.nn.sigmoid


@dataclasses.dataclass(frozen=True)
class Tanh(Act):
    """The hyperbolic tangent."""

    takes_padding = True
    takes_bands = True

    def __call__(self, name):
        return jnp.tanh


@dataclasses.dataclass(frozen=True)
class HSigmoid(Act):
    """mmcv's hard sigmoid: (x + bias) / divisor, cut at `min_value` and `max_value`.

    Its defaults are those of mmcv from 1.4.6 on, MobileNetV3's.
    """

    bias: float = 3.0
    divisor: float = 6.0
    min_value: float = 0.0
    max_value: float = 1.0

    takes_padding = True
    takes_bands = True

    def __call__(self, name):
        return _in_float32(self._value)

    def _value(self, x):
        return jnp.clip((x + self.bias) / self.divisor, self.min_value, self.max_value)


@dataclasses.dataclass(frozen=True)
class HSwish(Act):
    """x * min(max(x + 3, 0), 6) / 6. https://arxiv.org/abs/1905.02244"""

    takes_padding = True
    takes_bands = True

    def __call__(self, name):
        return _in_float32(lambda x: x * jax.nn.relu6(x + 3) / 6)


@dataclasses.dataclass(frozen=True)
class SiLU(Act):
    """x times its sigmoid; also called Swish."""

    takes_padding = True
    takes_bands = True

    def __call__(self, name):
        return jax.nn.silu


@dataclasses.dataclass(frozen=True)
class Swish(SiLU):
    """mmcv's other name of SiLU."""

    takes_padding = True
    takes_bands = True

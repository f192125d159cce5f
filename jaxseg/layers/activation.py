"""The `act_cfg` entries."""

import dataclasses
import math

import jax
import jax.numpy as jnp


class Act:
    """The role of `act_cfg`: a function of a map's values."""

    def __call__(self, x: jax.Array) -> jax.Array:
        """The activations, in the shape and type of x."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class ReLU(Act):
    """max(x, 0)."""

    def __call__(self, x):
        return jax.nn.relu(x)


@dataclasses.dataclass(frozen=True)
class LeakyReLU(Act):
    """x where positive, else `negative_slope * x`."""

    negative_slope: float = 0.01

    def __call__(self, x):
        return jax.nn.leaky_relu(x, self.negative_slope)


@dataclasses.dataclass(frozen=True)
class GELU(Act):
    """x times the normal distribution function, exact as torch's default."""

    def __call__(self, x):
        wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        # As torch says it, by erf: jax.nn.gelu's erfc takes three times as long on a
        # CPU.
        y = 0.5 * wide * (1 + jax.lax.erf(wide * math.sqrt(0.5)))
        return y.astype(x.dtype)

"""The `act_cfg` entries."""

import dataclasses

import jax


@dataclasses.dataclass(frozen=True)
class ReLU:
    """max(x, 0)."""

    def __call__(self, x):
        return jax.nn.relu(x)


@dataclasses.dataclass(frozen=True)
class LeakyReLU:
    """x where positive, else `negative_slope * x`."""

    negative_slope: float = 0.01

    def __call__(self, x):
        return jax.nn.leaky_relu(x, self.negative_slope)


@dataclasses.dataclass(frozen=True)
class GELU:
    """x times the normal distribution function, exact as torch's default."""

    def __call__(self, x):
        return jax.nn.gelu(x, approximate=False)

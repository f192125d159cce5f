"""A linear map of the last axis."""

import jax
import jax.numpy as jnp

from jaxseg.ops.varying import varying_like


def linear(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """x @ kernel.

    Args:
        x: (..., C).
        kernel: (C, features) in x's dtype.

    Returns:
        (..., features).
    """
    return _linear(x, varying_like(kernel, x))


@jax.custom_vjp
def _linear(x, kernel):
    return jnp.einsum("...i,io->...o", x, kernel)


def _forward(x, kernel):
    return _linear(x, kernel), (x, kernel)


def _backward(residuals, g):
    x, kernel = residuals
    dx = jnp.einsum("...o,io->...i", g, kernel)
    # Autodiff puts g first. XLA's CPU backend then copies all of it transposed, and
    # takes up to 4 times as long.
    axes = tuple(range(x.ndim - 1))
    return dx, jax.lax.dot_general(x, g, ((axes, axes), ((), ())))


_linear.defvjp(_forward, _backward)

"""Linear map of the last axis."""

import jax
import jax.numpy as jnp

from jaxseg.ops.precision import custom_vjp
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


@custom_vjp
def _linear(x, kernel):
    return jnp.einsum("...i,io->...o", x, kernel)


def _forward(x, kernel):
    return _linear(x, kernel), (x, kernel)


def _backward(residuals, g):
    x, kernel = residuals
    dx = jnp.einsum("...o,io->...i", g, kernel)
    # As matrices: of more axes than one, XLA's CPU backend copies all of x transposed
    # before the product, which takes up to ten times as long as the product itself.
    x, g = (y.reshape(-1, y.shape[-1]) for y in (x, g))
    return dx, jax.lax.dot_general(x, g, (((0,), (0,)), ((), ())))


_linear.defvjp(_forward, _backward)

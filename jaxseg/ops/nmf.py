"""Non-negative matrix factorisation of a feature map: https://arxiv.org/abs/2109.04553"""

import jax
import jax.numpy as jnp

from jaxseg.ops.context import pixel_sums

# Added to the divisors.
_EPS = 1e-6


def nmf(x: jax.Array, bases: jax.Array, steps: int) -> jax.Array:
    """The map made anew of a few bases, by multiplicative updates.

    Args:
        x: (N, H, W, C), not negative, float32 at least.
        bases: (N, R, C) where the bases begin, not negative, in x's dtype.
        steps: updates of coefficients and bases; the coefficients get one more.

    Returns:
        (N, H, W, C): of each pixel the sum of the bases times its coefficients.
    """
    coefficients = jax.nn.softmax(jnp.einsum("nhwc,nrc->nhwr", x, bases))
    for _ in range(steps):
        coefficients = _update_coefficients(x, bases, coefficients)
        numerator = pixel_sums(coefficients, x)
        products = pixel_sums(coefficients, coefficients)  # (N, R, R)
        denominator = jnp.einsum("nrs,nsc->nrc", products, bases)
        bases = bases * numerator / (denominator + _EPS)
    coefficients = _update_coefficients(x, bases, coefficients)
    return jnp.einsum("nhwr,nrc->nhwc", coefficients, bases)


def _update_coefficients(x, bases, coefficients):
    numerator = jnp.einsum("nhwc,nrc->nhwr", x, bases)
    products = jnp.einsum("nrc,nsc->nrs", bases, bases)
    denominator = jnp.einsum("nhwr,nrs->nhws", coefficients, products)
    return coefficients * numerator / (denominator + _EPS)

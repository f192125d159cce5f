"""Layer normalisation with a gradient that a CPU computes fast."""

import functools

import jax
import jax.numpy as jnp

from jaxseg.ops.narrow import wide
from jaxseg.ops.precision import custom_vjp
from jaxseg.ops.varying import varying_like


def layer_norm_with_gradient(
    x: jax.Array, scale: jax.Array, bias: jax.Array, eps: float
) -> jax.Array:
    """As `ops.layer_norm.layer_norm`, with a gradient of its own.

    Autodiff's takes 3 to 10 times as long on a CPU.
    """
    return _with_gradient(x, varying_like(scale, x), varying_like(bias, x), eps)


def normalise(
    x: jax.Array, scale: jax.Array, bias: jax.Array, eps: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The result, the means, and what the distances from them are multiplied by."""
    precise = wide(x)
    mean = precise.mean(-1, keepdims=True)
    var = jnp.square(precise - mean).mean(-1, keepdims=True)
    inverse = jax.lax.rsqrt(var + eps)
    y = ((precise - mean) * inverse * scale + bias).astype(x.dtype)
    return y, mean, inverse


@functools.partial(custom_vjp, nondiff_argnums=(3,))
def _with_gradient(x, scale, bias, eps):
    return normalise(x, scale, bias, eps)[0]


def _forward(x, scale, bias, eps):
    y, mean, inverse = normalise(x, scale, bias, eps)
    return y, (x, scale, mean, inverse)


def _backward(eps, residuals, g):
    """Its sums over the channels are matrix products with the scale.

    XLA's CPU backend does not vectorise the sum of a product along the last axis,
    unless the product stands in memory: autodiff's form takes 3 to 10 times as long.
    """
    del eps
    x, scale, mean, inverse = residuals
    channels = x.shape[-1]
    wide_g = g.astype(mean.dtype)
    normal = (x - mean) * inverse
    product = jax.lax.optimization_barrier(wide_g * normal)
    scale_wide = scale.astype(mean.dtype)
    mean_g = jnp.einsum("...c,c->...", wide_g, scale_wide)[..., None] / channels
    mean_product = jnp.einsum("...c,c->...", product, scale_wide)[..., None] / channels
    dx = inverse * (wide_g * scale - mean_g - normal * mean_product)
    axes = tuple(range(x.ndim - 1))
    dscale, dbias = product.sum(axes), wide_g.sum(axes)
    return dx.astype(x.dtype), dscale.astype(scale.dtype), dbias.astype(scale.dtype)


_with_gradient.defvjp(_forward, _backward)

"""Batch normalisation in training, with a gradient of its own.

The gradient that JAX derives keeps the centred activations in float32 beside the
activations, and an accelerator writes both. The one here needs what the layer before
wrote, in its own type, and the statistics: with them a TPU's compiler makes the sums of
both passes a part of the convolutions beside them.
"""

import functools

import jax
import jax.numpy as jnp

from jaxseg.ops.narrow import wide
from jaxseg.ops.varying import varying_like


def batch_norm(
    x: jax.Array,
    scale: jax.Array,
    bias: jax.Array,
    origin: jax.Array,
    eps: float,
    axes: tuple[str, ...] = (),
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """torch's batch_norm with the statistics of the batch. https://arxiv.org/abs/1502.03167

    Of a type narrower than float32 both moments come from one pass over x. What float32
    loses there of the variance of a large mean is less than what the rounding of x has
    cost already.

    Args:
        x: (..., C), floating point; computed in float32 at least.
        scale: (C,), float32 at least.
        bias: (C,), as scale.
        origin: (C,), as scale: values near the mean, from which the moments are
            measured where they have to be joined, such as the running mean.
        eps: added to the variance.
        axes: axes of an enclosing `jax.shard_map`, over whose devices the statistics
            are taken, in one sum forward and one backward; none are the device's own.

    Returns:
        (..., C) in x's dtype; the mean and the biased variance, (C,), float32 at least,
        which have no gradient.
    """
    scale, bias = (varying_like(value, x) for value in (scale, bias))
    y, mean, var = _batch_norm(x, scale, bias, origin, eps, axes)
    return y, jax.lax.stop_gradient(mean), jax.lax.stop_gradient(var)


@functools.partial(jax.custom_vjp, nondiff_argnums=(4, 5))
def _batch_norm(x, scale, bias, origin, eps, axes):
    return _forward(x, scale, bias, origin, eps, axes)[0]


def _forward(x, scale, bias, origin, eps, axes):
    mean, var = _moments(x, origin, axes)
    inverse = jax.lax.rsqrt(var + eps)
    y = (wide(x) - mean) * (scale * inverse) + bias
    return (y.astype(x.dtype), mean, var), (x, scale, mean, inverse, origin)


def _backward(eps, axes, kept, gradients):
    del eps
    x, scale, mean, inverse, origin = kept
    gradient = wide(gradients[0])
    normalised = (wide(x) - mean) * inverse
    over = tuple(range(x.ndim - 1))
    bias_gradient = gradient.sum(over)
    scale_gradient = (gradient * normalised).sum(over)
    sums = jnp.stack([bias_gradient, scale_gradient])
    if axes:
        sums = jax.lax.pmean(sums, axes)
    of_mean, of_var = sums / (x.size // x.shape[-1])
    x_gradient = (gradient - of_mean - normalised * of_var) * (scale * inverse)
    return (
        x_gradient.astype(x.dtype),
        scale_gradient.astype(scale.dtype),
        bias_gradient.astype(scale.dtype),
        jnp.zeros_like(origin),
    )


_batch_norm.defvjp(_forward, _backward)


def _moments(x, origin, axes):
    """The mean and the biased variance of each channel."""
    precise, over = wide(x), tuple(range(x.ndim - 1))
    if x.dtype != precise.dtype:
        centred = precise - origin
        mean, square = centred.mean(over), jnp.square(centred).mean(over)
    else:
        # The mean of the centred squares: E[x^2] - E[x]^2 loses the variance where the
        # mean is large.
        mean = precise.mean(over)
        var = jnp.square(precise - mean).mean(over)
        if not axes:
            return mean, var
        mean = mean - origin
        square = var + jnp.square(mean)
    if axes:
        # One collective for both, since the devices hold equally many values.
        mean, square = jax.lax.pmean(jnp.stack([mean, square]), axes)
    return mean + origin, jnp.maximum(square - jnp.square(mean), 0.0)

"""Context: what is computed from a whole feature map, one image at a time.

These functions know of padding buckets (`ops/padded`) and of bands of rows
(`ops/bands`), so that an image gets there what it gets alone. A model that takes either
uses them wherever it looks at more than a window.
"""

import jax
import jax.numpy as jnp

from jaxseg.ops.pool import adaptive_avg_pool


def global_mean(x: jax.Array) -> jax.Array:
    """Means of the channels over each image: (N, H, W, C) -> (N, 1, 1, C)."""
    return adaptive_avg_pool(x, (1, 1))


def group_norm(x: jax.Array, groups: int, eps: float) -> jax.Array:
    """torch's group norm without its scale and bias.

    https://arxiv.org/abs/1803.08494

    Args:
        x: (N, H, W, C), floating point; computed in float32 at least.
        groups: number of groups, a divisor of C.
        eps: added to the variance.

    Returns:
        (N, H, W, C) in x's dtype.
    """
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    mean = _mean_of_groups(global_mean(wide), groups)
    # The mean of the centred squares: E[x^2] - E[x]^2 would lose the variance where
    # the mean is large.
    centred = wide - mean
    var = _mean_of_groups(global_mean(jnp.square(centred)), groups)
    return (centred * jax.lax.rsqrt(var + eps)).astype(x.dtype)


def _mean_of_groups(x, groups):
    """(N, 1, 1, C), a mean over each group of channels in all its channels."""
    *shape, channels = x.shape
    means = x.reshape(*shape, groups, channels // groups).mean(-1, keepdims=True)
    return jnp.broadcast_to(means, (*shape, groups, channels // groups)).reshape(
        x.shape
    )

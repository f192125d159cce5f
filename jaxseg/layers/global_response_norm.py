"""Global response normalisation of ConvNeXt V2: https://arxiv.org/abs/2301.00808."""

import flax.linen as nn
import jax.numpy as jnp

from jaxseg.ops.context import count_of_pixels, global_mean
from jaxseg.ops.narrow import wide

# mmpretrain's; it is no option there either.
_EPS = 1e-6


class GlobalResponseNorm(nn.Module):
    """Scales each channel by its length over the image, beside that of the others.

    It starts as the identity.
    """

    @nn.compact
    def __call__(self, x):
        """(N, H, W, C) -> the same shape; computed in float32 at least."""
        shape = (x.shape[-1],)
        gamma = self.param("gamma", nn.initializers.zeros, shape)
        beta = self.param("beta", nn.initializers.zeros, shape)
        precise = wide(x)
        total = global_mean(jnp.square(precise)) * count_of_pixels(x)
        # The root has no gradient where a channel is 0 all over the image.
        is_there = total > 0
        length = jnp.where(is_there, jnp.sqrt(jnp.where(is_there, total, 1)), 0)
        share = length / (length.mean(-1, keepdims=True) + _EPS)
        return (precise + gamma * (precise * share) + beta).astype(x.dtype)

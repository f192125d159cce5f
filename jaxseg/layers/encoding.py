"""Encoding layer: how far the pixels of a map lie from learned code words."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.ops.context import pixel_product
from jaxseg.ops.narrow import wide


class Encoding(nn.Module):
    """A residual encoder. https://arxiv.org/abs/1803.08904

    Every pixel is shared out over the code words by softmax of its scaled squared
    distances, and each code word sums up the differences to it.

    Attributes:
        num_codes: number of code words.
    """

    num_codes: int

    @nn.compact
    def __call__(self, x):
        """(N, h, w, C) -> float32 encodings (N, num_codes, C)."""
        codes, channels = self.num_codes, x.shape[-1]
        bound = (codes * channels) ** -0.5
        words = self.param("codewords", _uniform(-bound, bound), (codes, channels))
        # torch's name is `scale`, which is a norm's weight here (weights/names.py).
        scale = self.param("code_scale", _uniform(-1, 0), (codes,))
        x = wide(x)
        # The square of the difference in its three terms: of every pixel and code word,
        # it would be an array num_codes times as large as the map.
        highest = jax.lax.Precision.HIGHEST
        product = jnp.einsum("nhwc,kc->nhwk", x, words, precision=highest)
        square = jnp.square(x).sum(-1, keepdims=True) + jnp.square(words).sum(-1)
        shares = jax.nn.softmax(scale * (square - 2 * product), axis=-1)
        total = pixel_product(shares, x, highest)
        share = pixel_product(shares, jnp.ones_like(x[..., :1]), highest)
        return total - share * words


def _uniform(low, high):
    def init(key, shape, dtype=jnp.float32):
        return jax.random.uniform(key, shape, dtype, low, high)

    return init

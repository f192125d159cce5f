"""Non-local block: every pixel gets a sum over all pixels of the map."""

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.layers.conv import Conv2d, torch_start
from jaxseg.layers.norm import Norm
from jaxseg.layers.plugin import Plugin
from jaxseg.ops.context import (
    count_of_pixels,
    global_mean,
    pixel_attention,
    pixel_product,
    spatial_softmax,
)
from jaxseg.ops.narrow import spread, wide

Mode = Literal["embedded_gaussian", "dot_product"]
_small = nn.initializers.normal(0.01)


class NonLocal2d(Plugin, kw_only=True):
    """mmcv's NonLocal2d. https://arxiv.org/abs/1711.07971

    Attributes:
        reduction: the inner channels are the input's divided by it.
        use_scale: the products of `embedded_gaussian` are divided by the square root
            of the inner channels.
        norm_cfg: the norm of the last convolution alone.
        mode: what weighs the pixels: `embedded_gaussian`, a softmax of the products,
            or `dot_product`, the products over the number of pixels.
        The other is Plugin's.
    """

    reduction: int = 2
    use_scale: bool = True
    norm_cfg: Norm | None = None
    mode: Mode = "embedded_gaussian"

    abbr = "nonlocal_block"
    takes_padding = True
    takes_bands = True

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, h, w, C) -> the same shape."""
        theta, phi, g = self.embed(x)
        scale = theta.shape[-1] ** -0.5 if self.use_scale else 1.0
        y = self.attend(theta, phi, g, scale)
        return x + self.conv_out(y, x.shape[-1], train)

    def embed(self, x: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Queries, keys and values, each (N, h, w, inner channels)."""
        width = max(x.shape[-1] // self.reduction, 1)
        names = ("theta", "phi", "g")
        theta, phi, g = (
            Conv2d(width, kernel_init=_small, name=f"{name}.conv")(x) for name in names
        )
        return theta, phi, g

    def attend(self, theta, phi, g, scale: float) -> jax.Array:
        """The weighted sums of g; `scale` is the factor of a softmax's products."""
        if self.mode == "embedded_gaussian":
            return pixel_attention(theta, phi, g, scale)
        # (theta phi^T) g = theta (phi^T g): no product of pixels with pixels.
        sums = pixel_product(phi, g)
        y = jnp.einsum("nhwk,nkc->nhwc", theta, sums)
        return (wide(y) / count_of_pixels(phi)).astype(y.dtype)

    def conv_out(self, y, channels, train):
        """The last convolution; mmcv's block begins as if it were not there."""
        norm = self.norm_cfg
        zeros = nn.initializers.zeros
        start = {"kernel_init": zeros} if norm is None else {}
        bias = norm is None
        y = Conv2d(channels, bias=bias, **start, name="conv_out.conv")(y)
        if norm is None:
            return y
        return norm(name=f"conv_out.{norm.abbr}", scale_init=zeros)(y, train)


class DisentangledNonLocal2d(NonLocal2d, kw_only=True):
    """A non-local block in two terms: of pairs of pixels, and of pixels alone.

    https://arxiv.org/abs/2006.06668

    Attributes:
        temperature: the products of the pairs are divided by it.
    """

    temperature: float

    @nn.compact
    def __call__(self, x, train: bool):
        theta, phi, g = self.embed(x)
        theta, phi = (y - spread(global_mean(y), y) for y in (theta, phi))
        scale = theta.shape[-1] ** -0.5 if self.use_scale else 1.0
        y = self.attend(theta, phi, g, scale / self.temperature)
        mask = Conv2d(1, **torch_start(x.shape[-1]), name="conv_mask")(x)
        unary = pixel_product(spatial_softmax(mask), g)[:, None]  # (N, 1, 1, inner)
        return x + self.conv_out(y + spread(unary, y), x.shape[-1], train)

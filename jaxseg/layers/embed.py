"""Patch embedding: patches of an image as tokens."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.layers.conv import Conv2d, kaiming_normal_fan_in
from jaxseg.layers.norm import Norm
from jaxseg.ops.bands.split_rows import refuse_split
from jaxseg.ops.padded.valid_size import NoMaskedForm, in_bucket


def adaptive_pad(x, kernel_size: int, stride: int, mode: str):
    """Pads (N, H, W, C) with zeros until the kernel's windows cover it.

    Args:
        x: the image.
        kernel_size, stride: the size and the stride of the windows, in pixels.
        mode: `corner` pads right and bottom, `same` on all sides.
    """
    if mode not in ("corner", "same"):
        raise ValueError(f"padding is {mode!r}, allowed: corner, same")
    pads = []
    x = _mask(x, kernel_size, stride, mode)
    for size in x.shape[1:3]:
        total = max((-(-size // stride) - 1) * stride + kernel_size - size, 0)
        before = total // 2 if mode == "same" else 0
        pads.append((before, total - before))
    if any(pads[0]):
        refuse_split(x, f"padding to whole windows of {kernel_size} rows")
    return jnp.pad(x, ((0, 0), *pads, (0, 0)))


def _mask(x, kernel_size, stride, mode):
    """In a bucket: zeros in place of what is not valid, and the sizes after padding."""
    sizes = in_bucket()
    if sizes is None or kernel_size == stride == 1:
        return x
    if mode == "same":
        raise NoMaskedForm("padding='same', which moves an image by half its padding")

    def padded(n):
        return np.maximum((-(-n // stride) - 1) * stride + kernel_size, n)

    shape, x = x.shape, sizes.fill(x)
    for axis in range(2):
        sizes.change(axis, shape[1 + axis], padded)
    return x


class PatchEmbed(nn.Module):
    """Patches of a map, each projected to a token; mmseg's PatchEmbed.

    Attributes:
        embed_dims: channels of a token.
        patch_size: side of a patch in pixels.
        stride: distance between patches in pixels; None: patches do not overlap.
        padding: how the map is padded to whole patches (`corner` or `same`), or how many
            zeros are added on each side.
        bias: whether the projection has a bias.
        norm_cfg: norm of the tokens, or None.
        kernel_init, bias_init: starting values of the projection.
    """

    embed_dims: int
    patch_size: int
    stride: int | None = None
    padding: int | str = "corner"
    bias: bool = True
    norm_cfg: Norm | None = None
    kernel_init: Any = kaiming_normal_fan_in
    bias_init: Any = nn.initializers.zeros

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> tokens as a map, (N, h, w, embed_dims)."""
        stride, padding = self.stride or self.patch_size, self.padding
        if isinstance(padding, str):
            x, padding = adaptive_pad(x, self.patch_size, stride, padding), 0
        x = Conv2d(
            self.embed_dims,
            self.patch_size,
            stride,
            padding,
            bias=self.bias,
            kernel_init=self.kernel_init,
            bias_init=self.bias_init,
            name="projection",
        )(x)
        return x if self.norm_cfg is None else self.norm_cfg(name="norm")(x, train)


def tokens_of(x: jax.Array, before: int = 0) -> jax.Array:
    """(N, h, w, C) -> (N, h * w, C), whose sizes attention over tokens knows.

    Args:
        x: the map.
        before: how many class tokens will stand before those of the map.
    """
    if (sizes := in_bucket()) is not None:
        sizes.set_grid(x.shape[1:3], before)
    return x.reshape(len(x), -1, x.shape[-1])

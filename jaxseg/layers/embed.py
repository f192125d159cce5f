"""Patch embedding: patches of an image as tokens."""

import flax.linen as nn
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
    """Non-overlapping patches, each projected to a token; mmseg's PatchEmbed.

    Attributes:
        embed_dims: channels of a token.
        patch_size: side of a patch in pixels.
        padding: how the image is padded to whole patches (`corner` or `same`).
        bias: whether the projection has a bias.
        norm_cfg: norm of the tokens, or None.
    """

    embed_dims: int
    patch_size: int
    padding: str
    bias: bool
    norm_cfg: Norm | None = None

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> tokens (N, h * w, embed_dims) and the grid (h, w)."""
        x = adaptive_pad(x, self.patch_size, self.patch_size, self.padding)
        x = Conv2d(
            self.embed_dims,
            self.patch_size,
            self.patch_size,
            bias=self.bias,
            kernel_init=kaiming_normal_fan_in,
            name="projection",
        )(x)
        n, h, w, c = x.shape
        if (sizes := in_bucket()) is not None:
            sizes.set_grid((h, w))
        x = x.reshape(n, h * w, c)
        if self.norm_cfg is not None:
            x = self.norm_cfg(name="norm")(x, train)
        return x, (h, w)

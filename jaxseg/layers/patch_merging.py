"""Patch merging: four neighbours of a map become one pixel of more channels."""

import flax.linen as nn
import jax.numpy as jnp

from jaxseg.layers.embed import adaptive_pad
from jaxseg.layers.norm import Norm
from jaxseg.layers.transformer import Linear
from jaxseg.ops.padded.valid_size import mask_windows


class PatchMerging(nn.Module):
    """mmseg's PatchMerging: 2x2 windows, a norm and a linear layer without bias.

    The channels of a window are in the order of torch's unfold, (channel, row, column).
    That of the original Swin Transformer is (column, row, channel).

    Attributes:
        features: channels of the result.
        stride: of the windows in pixels. The map is padded with zeros, right and below,
            until they cover it.
        norm_cfg: norm of the windows, or None.
    """

    features: int
    stride: int = 2
    norm_cfg: Norm | None = None

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> (N, ceil(H / stride), ceil(W / stride), features)."""
        step = self.stride
        x = adaptive_pad(x, 2, step, "corner")
        x = mask_windows(x, (2, 2), (step, step), (0, 0))
        rows, columns = (size - 1 for size in x.shape[1:3])
        pixels = [
            x[:, i : i + rows : step, j : j + columns : step]
            for i in range(2)
            for j in range(2)
        ]
        x = jnp.stack(pixels, axis=-1).reshape(*pixels[0].shape[:3], -1)
        if self.norm_cfg is not None:
            x = self.norm_cfg(name="norm")(x, train)
        return Linear(self.features, bias=False, name="reduction")(x)

"""MAE: https://arxiv.org/abs/2111.06377."""

import math

import flax.linen as nn
import numpy as np

from jaxseg.backbones.beit import BEiTBase
from jaxseg.layers.position import resize_positions
from jaxseg.ops.narrow import wide


class MAE(BEiTBase):
    """The vision transformer of masked autoencoders, with relative positions as well.

    MAE's own weights have no relative positions, which start at zero, and no factors of
    the branches.
    """

    qkv_bias = True

    fresh_modules = ("gamma_1", "gamma_2", "relative_position_bias_table")

    def tokens(self, x, train: bool):
        """The class token and the patches, with their positions."""
        x = super().tokens(x, train)
        shape = (1, 1 + self.grid[0] * self.grid[1], self.embed_dims)
        table = self.param("pos_embed", nn.initializers.zeros, shape)
        return (wide(x) + table).astype(x.dtype)

    def resize_weight(self, key: str, weight: np.ndarray) -> np.ndarray:
        """As of BEiT; the position table is resized by bicubic interpolation.

        Args:
            key: below the backbone.
            weight: that of a checkpoint. A position table is taken to be of a square
                image.
        """
        if key != "pos_embed":
            return super().resize_weight(key, weight)
        side = math.isqrt(weight.shape[1] - 1) if weight.ndim == 3 else 0
        if side == 0 or side**2 != weight.shape[1] - 1:
            return weight
        resized = resize_positions(weight, (side, side), self.grid, "bicubic")
        return np.asarray(resized)

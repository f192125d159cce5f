"""DINOv3's Vision Transformer, with rotary positions: https://arxiv.org/abs/2508.10104."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.backbones.dinov2 import DINOv2
from jaxseg.layers.norm import LN, Norm
from jaxseg.ops.narrow import wide


class DINOv3(DINOv2):
    """ViT-S to H+ and 7B of DINOv3: DINOv2's with rotary positions in every block.

    The coordinates of the patches are as they are in training, too; the original
    shifts, jitters and rescales them in its pre-training.

    Attributes:
        rope_base: the base of the periods of the rotations.
        The others are DINOv2's; a position table it has none.
    """

    patch_size: int = 16
    num_register_tokens: int = 4
    norm_cfg: Norm = LN(eps=1e-5)
    rope_base: float = 100.0

    @property
    def key_bias(self) -> bool:
        return False

    def with_positions(self, x, grid):
        del grid
        return x

    def rotation(self, grid):
        cos, sin = _cos_and_sin(grid, self.embed_dims // self.num_heads, self.rope_base)
        first = 1 + self.num_register_tokens
        ends = [first, first + math.prod(grid)]

        def rotate(x):
            """(N, L, heads, d), of which the patches are rotated."""
            prefix, patches, queries = jnp.split(wide(x), ends, axis=1)
            one, other = jnp.split(patches, 2, axis=-1)
            turned = jnp.concatenate([-other, one], axis=-1)
            patches = patches * cos[:, None] + turned * sin[:, None]
            return jnp.concatenate([prefix, patches, queries], 1).astype(x.dtype)

        return rotate

    def resize_weight(self, key, weight):
        del key
        return weight


def _cos_and_sin(
    grid: tuple[int, int], width: int, base: float
) -> tuple[jax.Array, jax.Array]:
    """Of the angles of the patches of a grid, (h * w, width) each.

    A patch's place is that of its middle, from -1 to 1 along either axis.
    """
    places = [(2 * np.arange(side) + 1) / side - 1 for side in grid]
    places = np.stack(np.meshgrid(*places, indexing="ij"), axis=-1).reshape(-1, 2, 1)
    periods = base ** (4 / width * np.arange(width // 4))
    angles = np.tile((2 * math.pi * places / periods).reshape(len(places), -1), 2)
    return jnp.asarray(np.cos(angles)), jnp.asarray(np.sin(angles))

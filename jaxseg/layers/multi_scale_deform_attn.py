"""Multi-scale deformable attention, mmcv's, and the encoder that is made of it.

Deformable DETR, https://arxiv.org/abs/2010.04159
"""

import dataclasses
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.errors import FieldError
from jaxseg.layers.conv import xavier_normal, xavier_uniform
from jaxseg.layers.detr import FFNCfg
from jaxseg.layers.dropout import Dropout
from jaxseg.layers.norm import LN, Norm
from jaxseg.layers.transformer import Linear
from jaxseg.ops.multi_scale_deform_attn import multi_scale_deform_attn
from jaxseg.ops.narrow import wide

_zeros = nn.initializers.zeros


@dataclasses.dataclass(frozen=True)
class DeformAttentionCfg:
    """`self_attn_cfg` of an encoder layer: mmcv's MultiScaleDeformableAttention.

    Attributes:
        embed_dims: width of the queries.
        num_heads: heads of the attention.
        num_levels: number of maps.
        num_points: places of each map that a head of a query looks at.
        value_proj_ratio: width of the values over that of the queries.
        dropout: dropout rate of the result.
        im2col_step: how many images mmcv's CUDA code takes at once; without effect.
        norm_cfg: None, which mmcv does not read.
        batch_first: True, as the layers take (N, L, C).
    """

    embed_dims: int = 256
    num_heads: int = 8
    num_levels: int = 4
    num_points: int = 4
    value_proj_ratio: float = 1.0
    dropout: float = 0.1
    im2col_step: int = 64
    norm_cfg: None = None
    batch_first: bool = True

    def __post_init__(self):
        for width in (self.embed_dims, int(self.embed_dims * self.value_proj_ratio)):
            if width % self.num_heads:
                raise FieldError(
                    f"num_heads: {self.num_heads} does not divide {width}, the width "
                    "of the queries or of the values"
                )
        if not self.batch_first:
            raise FieldError("batch_first is False, allowed: True")


class MultiScaleDeformableAttention(nn.Module):
    """A query finds the places that it looks at, and their weights, by itself."""

    cfg: DeformAttentionCfg

    @nn.compact
    def __call__(self, x, query_pos, sizes: Sequence[tuple[int, int]], train: bool):
        """What the pixels of several maps see of each other, added to them.

        Args:
            x: (N, L, C), the pixels of all maps, row by row, map after map.
            query_pos: (L, C), added to the queries.
            sizes: (height, width) of each map.
            train: whether dropout is on.

        Returns:
            (N, L, C).
        """
        cfg = self.cfg
        query = (wide(x) + query_pos).astype(x.dtype)
        width = int(cfg.embed_dims * cfg.value_proj_ratio)
        value = Linear(width, kernel_init=xavier_uniform, name="value_proj")(x)
        value = value.reshape(*value.shape[:2], cfg.num_heads, -1)
        shape = (*x.shape[:2], cfg.num_heads, cfg.num_levels, cfg.num_points)
        offsets = Linear(
            2 * int(np.prod(shape[2:])),
            kernel_init=_zeros,
            bias_init=self._first_offsets,
            name="sampling_offsets",
        )(query)
        # Offsets are in pixels of the map that they lead to.
        offsets = wide(offsets).reshape(*shape, 2) / np.array(
            [(w, h) for h, w in sizes], np.float32
        ).reshape(-1, 1, 2)
        centres = jnp.asarray(_centres(sizes), offsets.dtype)
        places = centres[:, None, None, None] + offsets
        weights = Linear(
            int(np.prod(shape[2:])), kernel_init=_zeros, name="attention_weights"
        )(query)
        weights = wide(weights).reshape(*shape[:3], -1)
        weights = jax.nn.softmax(weights).reshape(shape)
        y = multi_scale_deform_attn(value, sizes, places, weights)
        y = y.reshape(*x.shape[:2], width)
        y = Linear(cfg.embed_dims, kernel_init=xavier_uniform, name="output_proj")(y)
        return x + Dropout(cfg.dropout, name="dropout")(y, train)

    def _first_offsets(self, key, shape, dtype=jnp.float32):
        """A head looks into a direction of its own, a point further than the last."""
        del key
        cfg = self.cfg
        angles = np.arange(cfg.num_heads) * (2 * np.pi / cfg.num_heads)
        ways = np.stack([np.cos(angles), np.sin(angles)], -1)
        ways /= np.abs(ways).max(-1, keepdims=True)
        steps = np.arange(1, cfg.num_points + 1)[:, None]
        start = ways[:, None, None] * steps  # (heads, 1, points, 2)
        start = start.repeat(cfg.num_levels, 1)
        return jnp.asarray(start.reshape(shape), dtype)


def _centres(sizes):
    """(L, 2): the centres (x, y) of all pixels as fractions of their own map."""
    centres = []
    for height, width in sizes:
        y, x = np.mgrid[:height, :width]
        centres.append(np.stack([(x + 0.5) / width, (y + 0.5) / height], -1))
    return np.concatenate([each.reshape(-1, 2) for each in centres])


@dataclasses.dataclass(frozen=True)
class DeformEncoderLayerCfg:
    """`layer_cfg` of the encoder: deformable attention and FFN.

    Attributes:
        self_attn_cfg, ffn_cfg: the two parts.
        norm_cfg: norm after each of them.
    """

    self_attn_cfg: DeformAttentionCfg = DeformAttentionCfg()
    ffn_cfg: FFNCfg = dataclasses.field(default_factory=FFNCfg)
    norm_cfg: Norm = LN()


@dataclasses.dataclass(frozen=True)
class DeformEncoderCfg:
    """`encoder` of a pixel decoder.

    Attributes:
        num_layers: number of layers.
        layer_cfg: each of them.
    """

    num_layers: int
    layer_cfg: DeformEncoderLayerCfg = DeformEncoderLayerCfg()


class DeformableDetrTransformerEncoder(nn.Module):
    """Pixels of several maps that look at each other, layer after layer."""

    cfg: DeformEncoderCfg

    @nn.compact
    def __call__(self, x, query_pos, sizes, train: bool):
        """(N, L, C) -> (N, L, C); arguments of MultiScaleDeformableAttention."""
        for i in range(self.cfg.num_layers):
            layer = _EncoderLayer(self.cfg.layer_cfg, name=f"layers.{i}")
            x = layer(x, query_pos, sizes, train)
        return x


class _EncoderLayer(nn.Module):
    cfg: DeformEncoderLayerCfg

    @nn.compact
    def __call__(self, x, query_pos, sizes, train: bool):
        cfg = self.cfg
        attend = MultiScaleDeformableAttention(cfg.self_attn_cfg, name="self_attn")
        x = cfg.norm_cfg(name="norms.0")(attend(x, query_pos, sizes, train), train)
        ffn = cfg.ffn_cfg("ffn", xavier_normal)
        return cfg.norm_cfg(name="norms.1")(ffn(x, x, train), train)

"""Mask2Former's pixel decoder: deformable attention on the coarse levels of a pyramid.

https://arxiv.org/abs/2112.01527
"""

import dataclasses
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.errors import FieldError
from jaxseg.layers.activation import Act, ReLU
from jaxseg.layers.conv import Conv2d, ConvModule, caffe2_xavier, xavier_uniform
from jaxseg.layers.embedding import Embedding
from jaxseg.layers.multi_scale_deform_attn import (
    DeformableDetrTransformerEncoder,
    DeformEncoderCfg,
)
from jaxseg.layers.norm import GN, Norm
from jaxseg.layers.positional_encoding import SinePositionalEncoding
from jaxseg.ops.resize import resize

# mmdet's default in a pixel decoder and its head.
MMDET_ENCODING = SinePositionalEncoding(num_feats=128, normalize=True)


@dataclasses.dataclass(frozen=True)
class MSDeformAttnPixelDecoder:
    """mmdet's MSDeformAttnPixelDecoder.

    Attributes:
        encoder: the layers of deformable attention, which see the last maps, as many
            as their `num_levels`.
        num_outs: how many of the encoded maps the queries look at, the coarsest first.
        norm_cfg, act_cfg: flavours of the convolutions.
        positional_encoding: the encoding of the encoder's maps.
    """

    encoder: DeformEncoderCfg
    num_outs: int = 3
    norm_cfg: Norm | None = GN(num_groups=32)
    act_cfg: Act | None = ReLU()
    positional_encoding: SinePositionalEncoding = MMDET_ENCODING

    aliases = ("mmdet.MSDeformAttnPixelDecoder",)

    @property
    def num_levels(self) -> int:
        """The number of maps that the encoder sees."""
        return self.encoder.layer_cfg.self_attn_cfg.num_levels

    def __call__(self, feat_channels: int, out_channels: int, name: str) -> nn.Module:
        """The module; `feat_channels` are those of the levels."""
        width = self.encoder.layer_cfg.self_attn_cfg.embed_dims
        if not width == feat_channels == 2 * self.positional_encoding.num_feats:
            raise FieldError(
                f"encoder.layer_cfg.self_attn_cfg.embed_dims is {width} and "
                f"positional_encoding.num_feats "
                f"{self.positional_encoding.num_feats}, feat_channels {feat_channels}; "
                "allowed: feat_channels, and half of it"
            )
        return _PixelDecoder(self, feat_channels, out_channels, name=name)


class _PixelDecoder(nn.Module):
    cfg: MSDeformAttnPixelDecoder
    feat_channels: int
    out_channels: int

    @nn.compact
    def __call__(
        self, inputs: Sequence[jax.Array], train: bool
    ) -> tuple[jax.Array, tuple[jax.Array, ...]]:
        """Decodes.

        Args:
            inputs: maps (N, h, w, c), the finest first.
            train: whether batch norms take their statistics from the batch.

        Returns:
            The mask features (N, h, w, out_channels) at the size of the first map, and
            the maps that queries look at, the coarsest first.
        """
        finer = len(inputs) - self.cfg.num_levels
        outs = self._encoded(inputs[finer:][::-1], train)
        init = {"kernel_init": caffe2_xavier}
        for place, i in enumerate(range(finer - 1, -1, -1)):
            lateral = self._conv(1, f"lateral_convs.{place}", **init)(inputs[i], train)
            y = lateral + resize(outs[-1], lateral.shape[1:3])
            act = {"padding": 1, "act_cfg": self.cfg.act_cfg}
            y = self._conv(3, f"output_convs.{place}", **act, **init)(y, train)
            outs.append(y)
        features = Conv2d(self.out_channels, **init, name="mask_feature")(outs[-1])
        return features, tuple(outs[: self.cfg.num_outs])

    def _encoded(self, inputs, train):
        """The maps after deformable attention; the coarsest first, as they come."""
        sizes = tuple(x.shape[1:3] for x in inputs)
        tokens, places = [], []
        of_level = Embedding(len(inputs), self.feat_channels, name="level_encoding")()
        for i, x in enumerate(inputs):
            conv = self._conv(
                1, f"input_convs.{i}", bias=True, kernel_init=xavier_uniform
            )
            tokens.append(conv(x, train).reshape(len(x), -1, self.feat_channels))
            place = self.cfg.positional_encoding(sizes[i])
            place = jnp.asarray(place, of_level.dtype) + of_level[i]
            places.append(place.reshape(-1, self.feat_channels))
        encoder = DeformableDetrTransformerEncoder(self.cfg.encoder, name="encoder")
        memory = encoder(
            jnp.concatenate(tokens, 1), jnp.concatenate(places), sizes, train
        )
        ends = [h * w for h, w in sizes]
        ends = [sum(ends[: i + 1]) for i in range(len(ends) - 1)]
        maps = jnp.split(memory, ends, axis=1)
        return [
            x.reshape(len(x), *size, -1) for x, size in zip(maps, sizes, strict=True)
        ]

    def _conv(self, side, name, **fields):
        return ConvModule(
            self.feat_channels, side, norm_cfg=self.cfg.norm_cfg, **fields, name=name
        )

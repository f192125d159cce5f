"""Mask2Former: https://arxiv.org/abs/2112.01527."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.config import ConfigError
from jaxseg.errors import FieldError
from jaxseg.heads.mask_classification import Outputs, masks_of
from jaxseg.heads.point_mask_head import PointMaskHead
from jaxseg.layers.conv import Conv2d, caffe2_xavier
from jaxseg.layers.detr import DetrDecoderCfg
from jaxseg.layers.embedding import Embedding
from jaxseg.layers.mask2former_decoder import Mask2FormerTransformerDecoder
from jaxseg.layers.msdeform_pixel_decoder import (
    MMDET_ENCODING,
    MSDeformAttnPixelDecoder,
)
from jaxseg.layers.positional_encoding import SinePositionalEncoding
from jaxseg.ops.narrow import spread, wide
from jaxseg.ops.resize import resize


class Mask2FormerHead(PointMaskHead, kw_only=True):
    """Queries that look at the pixels of their own masks, in one map after the other.

    Attributes:
        strides: of the inputs, as many as there are; without effect, since places are
            fractions of a map.
        num_transformer_feat_level: how many maps the queries look at.
        pixel_decoder: entry that makes the mask features and these maps.
        enforce_decoder_input_project: whether the maps are projected also where they
            have the queries' width.
        positional_encoding: the encoding of the maps.
        transformer_decoder: the layers that the queries pass.
        The others are PointMaskHead's.
    """

    strides: tuple[int, ...] = (4, 8, 16, 32)
    num_transformer_feat_level: int = 3
    pixel_decoder: MSDeformAttnPixelDecoder
    enforce_decoder_input_project: bool = False
    positional_encoding: SinePositionalEncoding = MMDET_ENCODING
    transformer_decoder: DetrDecoderCfg

    def __post_init__(self):
        levels = (self.pixel_decoder.num_levels, self.pixel_decoder.num_outs)
        if levels != (self.num_transformer_feat_level,) * 2:
            raise FieldError(
                "pixel_decoder: num_levels of its attention and num_outs are "
                f"{levels}, allowed: num_transformer_feat_level, "
                f"{self.num_transformer_feat_level}"
            )
        if len(self.strides) != len(self.in_channels):
            raise FieldError(
                f"strides is {self.strides}; in_channels has {len(self.in_channels)} "
                "entries"
            )
        width = self.transformer_decoder.embed_dims
        if width != self.feat_channels:
            raise FieldError(
                f"transformer_decoder: its width is {width}, allowed: feat_channels, "
                f"{self.feat_channels}"
            )
        super().__post_init__()

    @nn.compact
    def __call__(self, inputs, train: bool) -> Outputs:
        """Maps (N, h, w, c), the finest first -> `Outputs`."""
        found = tuple(x.shape[-1] for x in inputs)
        if found != tuple(self.in_channels):
            raise ConfigError(
                f"{self.config_path}.in_channels is {list(self.in_channels)}, but the "
                f"feature maps have {list(found)} channels"
            )
        width = self.feat_channels
        features, memories = self.pixel_decoder(
            width, self.out_channels, name="pixel_decoder"
        )(inputs, train)
        sizes = [memory.shape[1:3] for memory in memories]
        classify, embed = self.predictors()

        # A resized product with the features is a product with resized features.
        small = [resize(jax.lax.stop_gradient(features), size) for size in sizes]

        def visible(queries, level):
            masks = wide(masks_of(small[level], embed(queries)))
            seen = masks.reshape(len(masks), -1, masks.shape[-1]) >= 0
            # A query whose mask is empty sees everything.
            seen = (seen | ~seen.any(1, keepdims=True)).swapaxes(1, 2)
            return jax.lax.stop_gradient(seen[:, None])

        query_pos = Embedding(self.num_queries, width, name="query_embed")()
        queries = Embedding(self.num_queries, width, name="query_feat")()
        batch = jnp.zeros_like(features, shape=(len(features), *queries.shape))
        decoder = Mask2FormerTransformerDecoder(
            self.transformer_decoder, name="transformer_decoder"
        )
        decoded = decoder(
            spread(queries, batch),
            self._memories(memories),
            query_pos,
            [self._places(size, features.dtype) for size in sizes],
            visible,
            train,
        )  # (N, layers + 1, Q, C)
        return Outputs(classify(decoded), embed(decoded), features)

    def _memories(self, maps):
        """The pixels (N, M, C) of each map, with the vector of its level added."""
        width = self.feat_channels
        of_level = Embedding(len(maps), width, name="level_embed")()
        memories = []
        for i, x in enumerate(maps):
            if self.enforce_decoder_input_project:
                name = f"decoder_input_projs.{i}"
                x = Conv2d(width, kernel_init=caffe2_xavier, name=name)(x)
            x = x.reshape(len(x), -1, width)
            memories.append(x + spread(of_level[i], x))
        return memories

    def _places(self, size, dtype):
        places = self.positional_encoding(size).reshape(-1, self.feat_channels)
        return places.astype(jnp.promote_types(dtype, jnp.float32))

"""OCRNet, Object-Contextual Representations: https://arxiv.org/abs/1909.11065."""

import flax.linen as nn
import jax.numpy as jnp

from jaxseg.config import ConfigError
from jaxseg.errors import FieldError
from jaxseg.heads.cascade_decode_head import BaseCascadeDecodeHead
from jaxseg.layers.conv import ConvModule
from jaxseg.layers.self_attention_block import SelfAttentionBlock
from jaxseg.ops.context import pixel_product, spatial_softmax


class _ObjectAttentionBlock(SelfAttentionBlock):
    """Pixels attend to the representations of the classes."""

    @nn.compact
    def __call__(self, query_feats, key_feats, train: bool):
        context = self.attend(query_feats, key_feats, train)
        flavours = {"norm_cfg": self.norm_cfg, "act_cfg": self.act_cfg}
        bottleneck = ConvModule(self.out_channels, 1, **flavours, name="bottleneck")
        return bottleneck(jnp.concatenate([context, query_feats], axis=-1), train)


class OCRHead(BaseCascadeDecodeHead, kw_only=True):
    """Describes each class by the pixels that the head before gave it.

    Attributes:
        ocr_channels: channels of the attention.
        scale: 1, the only value with which mmseg's own block runs.
    """

    ocr_channels: int
    scale: int = 1

    takes_padding = True
    takes_bands = True

    def __post_init__(self):
        if self.scale != 1:
            raise FieldError(f"scale: is {self.scale}, allowed: 1")
        super().__post_init__()

    @nn.compact
    def __call__(self, inputs, prev_output, train: bool):
        x = self.transform_inputs(inputs)
        features = self.conv_module(self.channels, 3, "bottleneck")(x, train)
        if prev_output.shape[1:3] != x.shape[1:3]:
            before, own = (f"{y.shape[1]} x {y.shape[2]}" for y in (prev_output, x))
            raise ConfigError(
                f"{self.config_path}: the head before it gives logits of {before} "
                f"pixels, and its own input has {own}: in_index has to choose maps of "
                "one size for both"
            )
        objects = _gather_objects(features, prev_output)  # (N, classes, 1, channels)
        features = _ObjectAttentionBlock(
            channels=self.ocr_channels,
            out_channels=self.channels,
            share_key_query=False,
            key_query_num_convs=2,
            value_out_num_convs=1,
            key_query_norm=True,
            value_out_norm=True,
            matmul_norm=True,
            with_out=True,
            norm_cfg=self.norm_cfg,
            act_cfg=self.act_cfg,
            name="object_context_block",
        )(features, objects, train)
        return self.cls_seg(features, train)


def _gather_objects(features, logits):
    """Means of the features, (N, classes, 1, C), weighted by softmax over the pixels."""
    shares = spatial_softmax(logits).astype(features.dtype)
    return pixel_product(shares, features)[:, :, None]

"""SETR's multi-level aggregation head: https://arxiv.org/abs/2012.15840."""

import flax.linen as nn
import jax.numpy as jnp

from jaxseg.errors import FieldError
from jaxseg.heads.decode_head import BaseDecodeHead
from jaxseg.ops.resize import upsample


class SETRMLAHead(BaseDecodeHead, kw_only=True):
    """Two convolutions and an upsampling of each input, and all of them joined.

    Attributes:
        mla_channels: channels of each input after its convolutions; `channels` is
            theirs together.
        up_scale: the factor of the upsampling.
    """

    input_transform: str = "multiple_select"
    mla_channels: int = 128
    up_scale: int = 4

    takes_padding = True
    takes_bands = True

    def __post_init__(self):
        super().__post_init__()
        number = len(self.in_channels)
        if self.channels != number * self.mla_channels:
            raise FieldError(
                f"channels is {self.channels}, which must be mla_channels "
                f"({self.mla_channels}) times the number of inputs ({number})"
            )

    @nn.compact
    def __call__(self, inputs, train: bool):
        levels = [
            self._level(x, i, train)
            for i, x in enumerate(self.transform_inputs(inputs))
        ]
        return self.cls_seg(jnp.concatenate(levels, axis=-1), train)

    def _level(self, x, i, train):
        for k in range(2):
            x = self.conv_module(self.mla_channels, 3, f"up_convs.{i}.{k}")(x, train)
        return upsample(
            x, self.up_scale, mode="bilinear", align_corners=self.align_corners
        )

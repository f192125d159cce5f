"""ResNeSt, Split-Attention Networks: https://arxiv.org/abs/2004.08955."""

from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.backbones.resnet import ResNetV1d
from jaxseg.layers.conv import Conv2d, ConvLayer, conv_layer
from jaxseg.layers.norm import Norm
from jaxseg.layers.res_layer import ResBottleneck
from jaxseg.ops.context import global_mean
from jaxseg.ops.narrow import spread, wide
from jaxseg.ops.pool import window_mean


class _SplitAttentionConv2d(nn.Module):
    """A 3x3 convolution into `radix` maps, and their sum weighted by attention.

    Attributes:
        channels: channels of each map.
        groups: cardinal groups, each with an attention of its own.
        conv_cfg: the kind of the 3x3 convolution.
    """

    channels: int
    stride: int
    dilation: int
    groups: int
    radix: int
    reduction_factor: int
    norm_cfg: Norm
    conv_cfg: ConvLayer | None

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> (N, H / stride, W / stride, channels)."""
        inner = max(x.shape[-1] * self.radix // self.reduction_factor, 32)
        abbr = self.norm_cfg.abbr
        x = conv_layer(
            self.conv_cfg,
            self.channels * self.radix,
            3,
            stride=self.stride,
            padding=self.dilation,
            dilation=self.dilation,
            groups=self.groups * self.radix,
            bias=False,
            name="conv",
        )(x)
        x = jax.nn.relu(self.norm_cfg(name=f"{abbr}0")(x, train))
        splits = jnp.split(x, self.radix, axis=-1)
        y = Conv2d(inner, groups=self.groups, name="fc1")(global_mean(sum(splits)))
        y = jax.nn.relu(self.norm_cfg(name=f"{abbr}1")(y, train))
        y = Conv2d(self.channels * self.radix, groups=self.groups, name="fc2")(y)
        weights = self._attention(y)
        return sum(
            spread(w, part) * part for w, part in zip(weights, splits, strict=True)
        )

    def _attention(self, y):
        """(N, 1, 1, groups * radix * c) -> `radix` weights (N, 1, 1, groups * c)."""
        if self.radix == 1:
            return [jax.nn.sigmoid(y)]
        y = y.reshape(len(y), self.groups, self.radix, -1)
        weights = jax.nn.softmax(wide(y), axis=2).astype(y.dtype)
        shape = (len(y), 1, 1, self.channels)
        return [weights[:, :, i].reshape(shape) for i in range(self.radix)]


class _Bottleneck(ResBottleneck):
    """A bottleneck with split attention, and pooling in place of the stride."""

    radix: int = 2
    reduction_factor: int = 4
    avg_down_stride: bool = True

    def spatial(self, x, stride, train):
        pooled = self.avg_down_stride and stride > 1
        x = _SplitAttentionConv2d(
            self.width,
            1 if pooled else stride,
            self.dilation,
            self.groups,
            self.radix,
            self.reduction_factor,
            self.norm_cfg,
            self.dcn or self.conv_cfg,
            name="conv2",
        )(x, train)
        return window_mean(x, 3, stride, 1) if pooled else x


class ResNeSt(ResNetV1d):
    """ResNetV1d with split attention.

    Attributes:
        groups: cardinal groups of the 3x3 convolutions.
        base_width: channels of a group in the first stage, where there are several.
        radix: maps that the attention chooses from.
        reduction_factor: the attention has so many times fewer hidden channels than
            the maps together, but 32 at least.
        avg_down_stride: 3x3 average pooling in place of the stride of a 3x3
            convolution.
        zero_init_residual: the last norm of each block starts at zero; in mmseg 1.2.2
            it starts at one whatever this says.
        The others are ResNet's; depth is 50, 101, 152 or 200.
    """

    groups: int = 1
    base_width: int = 4
    radix: int = 2
    reduction_factor: int = 4
    avg_down_stride: bool = True
    zero_init_residual: bool = False

    takes_padding = True
    takes_bands = True

    depths: ClassVar = {
        50: (_Bottleneck, (3, 4, 6, 3)),
        101: (_Bottleneck, (3, 4, 23, 3)),
        152: (_Bottleneck, (3, 8, 36, 3)),
        200: (_Bottleneck, (3, 24, 36, 3)),
    }
    block_fields: ClassVar = (
        "groups",
        "base_width",
        "base_channels",
        "radix",
        "reduction_factor",
        "avg_down_stride",
    )
    falls_back: ClassVar = False

"""DeepLabV3+ of pytorch-deeplab-xception: https://arxiv.org/abs/1802.02611."""

import flax.linen as nn
import jax.numpy as jnp

from jaxseg.heads.decode_head import BaseDecodeHead
from jaxseg.layers.conv import (
    Conv2d,
    kaiming_normal_fan_in,
    torch_default_bias,
)
from jaxseg.layers.dropout import Dropout
from jaxseg.ops.pool import adaptive_avg_pool
from jaxseg.ops.resize import resize
from jaxseg.weights.key_table import KeyTable


class DeepLabV3PlusHead(BaseDecodeHead, kw_only=True):
    """ASPP and a decoder of plain convolutions, refined by the backbone's first output.

    Unlike mmseg's DepthwiseSeparableASPPHead it joins the branches by a 1x1
    convolution, the pooled one last, and drops single values. Its resizes have
    `align_corners=True`. https://github.com/jfzhang95/pytorch-deeplab-xception

    Attributes:
        dilations: the dilations of the branches; the first one is a 1x1 convolution.
        c1_in_channels: channels of the backbone's first output.
        c1_channels: channels that it is reduced to.
        inner_dropout_ratio: the dropout rate behind ASPP and between the decoder's
            convolutions.
    """

    channels: int = 256
    align_corners: bool = True
    dilations: tuple[int, ...] = (1, 6, 12, 18)
    c1_in_channels: int
    c1_channels: int = 48
    inner_dropout_ratio: float = 0.5

    takes_padding = True
    takes_bands = True

    key_table = KeyTable(
        renames=(
            *(
                (rf"^aspp\.aspp{i + 1}\.(atrous_)?", f"aspp_modules.{i}.")
                for i in range(4)
            ),
            (r"^aspp\.global_avg_pool\.1\.", "image_pool.1.conv."),
            (r"^aspp\.global_avg_pool\.2\.", "image_pool.1.bn."),
            (r"^aspp\.(conv|bn)1\.", r"bottleneck.\1."),
            (r"^decoder\.(conv|bn)1\.", r"c1_bottleneck.\1."),
            (r"^decoder\.last_conv\.0\.", "convs.0.conv."),
            (r"^decoder\.last_conv\.1\.", "convs.0.bn."),
            (r"^decoder\.last_conv\.4\.", "convs.1.conv."),
            (r"^decoder\.last_conv\.5\.", "convs.1.bn."),
            (r"^decoder\.last_conv\.8\.", "conv_seg."),
        )
    )

    @nn.compact
    def __call__(self, inputs, train: bool):
        x = self._aspp(self.transform_inputs(inputs), train)
        x = Dropout(self.inner_dropout_ratio, name="aspp_dropout")(x, train)
        c1 = self._chosen(inputs, 0, self.c1_in_channels)
        c1 = self._conv(self.c1_channels, 1, "c1_bottleneck")(c1, train)
        x = resize(x, c1.shape[1:3], align_corners=self.align_corners)
        x = jnp.concatenate([x, c1], axis=-1)  # (N, H/4, W/4, channels + c1_channels)
        x = self._conv(self.channels, 3, "convs.0")(x, train)
        x = Dropout(self.inner_dropout_ratio, name="convs_dropout")(x, train)
        x = self._conv(self.channels, 3, "convs.1")(x, train)
        x = Dropout(self.dropout_ratio, name="dropout")(x, train)
        return Conv2d(
            self.out_channels,
            kernel_init=kaiming_normal_fan_in,
            bias_init=torch_default_bias(self.channels),
            name="conv_seg",
        )(x)

    def _aspp(self, x, train):
        """(N, h, w, in_channels) -> (N, h, w, channels)."""
        branches = []
        for i, dilation in enumerate(self.dilations):
            name = f"aspp_modules.{i}"
            branch = self._conv(self.channels, 3 if i else 1, name, dilation)
            branches.append(branch(x, train))
        pooled = adaptive_avg_pool(x, (1, 1))
        pooled = self._conv(self.channels, 1, "image_pool.1")(pooled, train)
        branches.append(resize(pooled, x.shape[1:3], align_corners=self.align_corners))
        x = jnp.concatenate(branches, axis=-1)
        return self._conv(self.channels, 1, "bottleneck")(x, train)

    def _conv(self, channels, side, name, dilation=1):
        init = kaiming_normal_fan_in
        return self.conv_module(channels, side, name, dilation, kernel_init=init)

"""DeepLabV3+: https://arxiv.org/abs/1802.02611."""

import flax.linen as nn
import jax.numpy as jnp

from jaxseg.heads.aspp_head import ASPPHead
from jaxseg.layers.conv import DepthwiseSeparableConvModule
from jaxseg.ops.resize import resize


class DepthwiseSeparableASPPHead(ASPPHead, kw_only=True):
    """ASPP with separable convolutions, refined by the backbone's first output.

    Attributes:
        c1_in_channels: channels of the backbone's first output; 0 leaves it out.
        c1_channels: channels that it is reduced to.
    """

    c1_in_channels: int
    c1_channels: int

    takes_padding = True
    takes_bands = True

    @nn.compact
    def __call__(self, inputs, train: bool):
        x = self.aspp(self.transform_inputs(inputs), train)
        if self.c1_in_channels > 0:
            c1 = self.conv_module(self.c1_channels, 1, "c1_bottleneck")(
                inputs[0], train
            )
            x = resize(x, c1.shape[1:3], align_corners=self.align_corners)
            x = jnp.concatenate([x, c1], axis=-1)
        for i in range(2):
            x = self._separable(1, f"sep_bottleneck.{i}")(x, train)
        return self.cls_seg(x, train)

    def branch(self, dilation: int, name: str) -> nn.Module:
        if dilation == 1:
            return super().branch(dilation, name)
        return self._separable(dilation, name)

    def _separable(self, dilation, name):
        return DepthwiseSeparableConvModule(
            self.channels,
            3,
            padding=dilation,
            dilation=dilation,
            norm_cfg=self.norm_cfg,
            act_cfg=self.act_cfg,
            dw_act_cfg=self.act_cfg,
            name=name,
        )

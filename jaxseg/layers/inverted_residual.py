"""Inverted residual: https://arxiv.org/abs/1801.04381."""

import flax.linen as nn

from jaxseg.layers.activation import Act, ReLU6
from jaxseg.layers.conv import ConvLayer, ConvModule
from jaxseg.layers.norm import BN, Norm
from jaxseg.ops.pad import pad_zeros


class InvertedResidual(nn.Module):
    """A 1x1 convolution to more channels, a depthwise 3x3, and a 1x1 to fewer.

    Attributes:
        features: channels of the result.
        stride, dilation: the stride and dilation of the depthwise convolution.
        expand_ratio: hidden channels over those of the input; with 1 the first
            convolution is left out.
        norm_cfg, act_cfg: flavours of the layers; the last one has no activation.
        pads_input: the zeros around the map, which the depthwise convolution looks at,
            are put around the block's input, and so go through the first convolution,
            its norm and its activation.
        conv_cfg: the kind of the convolutions.
    """

    features: int
    stride: int = 1
    dilation: int = 1
    expand_ratio: int = 6
    norm_cfg: Norm = BN()
    act_cfg: Act = ReLU6()
    pads_input: bool = False
    conv_cfg: ConvLayer | None = None

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> (N, H / stride, W / stride, features)."""
        hidden = round(x.shape[-1] * self.expand_ratio)
        kinds = {"conv_cfg": self.conv_cfg, "norm_cfg": self.norm_cfg}
        flavours = kinds | {"act_cfg": self.act_cfg}
        y, item, padding = x, 0, self.dilation
        if self.pads_input:
            y, padding = pad_zeros(x, padding), 0
        if self.expand_ratio != 1:
            y, item = ConvModule(hidden, 1, **flavours, name="conv.0")(y, train), 1
        y = ConvModule(
            hidden,
            3,
            self.stride,
            padding,
            self.dilation,
            hidden,
            **flavours,
            name=f"conv.{item}",
        )(y, train)
        y = ConvModule(self.features, 1, **kinds, name=f"conv.{item + 1}")(y, train)
        return x + y if self.stride == 1 and x.shape == y.shape else y

"""Inverted residual: https://arxiv.org/abs/1801.04381."""

import flax.linen as nn

from jaxseg.layers.activation import Act, ReLU6
from jaxseg.layers.conv import ConvModule
from jaxseg.layers.norm import BN, Norm


def make_divisible(value: float, divisor: int = 8) -> int:
    """The multiple of a divisor that is nearest, but at least 0.9 of the value."""
    nearest = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return nearest if nearest >= 0.9 * value else nearest + divisor


class InvertedResidual(nn.Module):
    """A 1x1 convolution to more channels, a depthwise 3x3, and a 1x1 to fewer.

    Attributes:
        features: channels of the result.
        stride, dilation: the stride and dilation of the depthwise convolution.
        expand_ratio: hidden channels over those of the input; with 1 the first
            convolution is left out.
        norm_cfg, act_cfg: flavours of the layers; the last one has no activation.
    """

    features: int
    stride: int = 1
    dilation: int = 1
    expand_ratio: int = 6
    norm_cfg: Norm = BN()
    act_cfg: Act = ReLU6()

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> (N, H / stride, W / stride, features)."""
        hidden = round(x.shape[-1] * self.expand_ratio)
        flavours = {"norm_cfg": self.norm_cfg, "act_cfg": self.act_cfg}
        y, item = x, 0
        if self.expand_ratio != 1:
            y, item = ConvModule(hidden, 1, **flavours, name="conv.0")(y, train), 1
        y = ConvModule(
            hidden,
            3,
            self.stride,
            self.dilation,
            self.dilation,
            hidden,
            **flavours,
            name=f"conv.{item}",
        )(y, train)
        y = ConvModule(
            self.features, 1, norm_cfg=self.norm_cfg, name=f"conv.{item + 1}"
        )(y, train)
        return x + y if self.stride == 1 and x.shape == y.shape else y

"""Squeeze-and-Excitation: https://arxiv.org/abs/1709.01507."""

import flax.linen as nn

from jaxseg.layers.activation import HSigmoid, ReLU
from jaxseg.layers.conv import ConvModule
from jaxseg.ops.context import global_mean
from jaxseg.ops.make_divisible import make_divisible
from jaxseg.ops.narrow import spread


class SELayer(nn.Module):
    """Scales each channel by what two layers make of all channels' means.

    Attributes:
        ratio: the channels over those between the two layers.
    """

    ratio: int = 16

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> (N, H, W, C)."""
        channels = x.shape[-1]
        squeezed = ConvModule(
            make_divisible(channels // self.ratio), 1, act_cfg=ReLU(), name="conv1"
        )(global_mean(x), train)
        scales = ConvModule(channels, 1, act_cfg=HSigmoid(), name="conv2")(
            squeezed, train
        )
        return x * spread(scales, x)

"""Residual blocks of real-time networks: mmseg's BasicBlock and Bottleneck.

Unlike ResNet's they consist of ConvModules, and their last activation is optional.
"""

import flax.linen as nn
import jax

from jaxseg.layers.activation import Act, ReLU
from jaxseg.layers.conv import ConvModule
from jaxseg.layers.norm import BN, Norm


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and the shortcut. https://arxiv.org/abs/1512.03385

    Attributes:
        channels: the number of channels of the convolutions; the block gives
            `channels * expansion`.
        stride: the stride of the first 3x3 convolution.
        downsample_norm: norm of the 1x1 convolution on the shortcut; None: the shortcut
            is the input itself.
        norm_cfg, act_cfg: flavours of the convolutions.
        has_last_act: whether a ReLU follows the sum.
    """

    channels: int
    stride: int = 1
    downsample_norm: Norm | None = None
    norm_cfg: Norm = BN()
    act_cfg: Act = ReLU()
    has_last_act: bool = True

    expansion = 1

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> (N, H / stride, W / stride, channels * expansion)."""
        y = self._residual(x, train)
        if self.downsample_norm is not None:
            x = ConvModule(
                self.channels * self.expansion,
                1,
                self.stride,
                norm_cfg=self.downsample_norm,
                name="downsample",
            )(x, train)
        y = y + x
        return jax.nn.relu(y) if self.has_last_act else y

    def _residual(self, x, train):
        x = self._conv("conv1", 3, self.stride)(x, train)
        return self._conv("conv2", 3, act_cfg=None)(x, train)

    def _conv(self, name, side, stride=1, **options):
        flavours = {"norm_cfg": self.norm_cfg, "act_cfg": self.act_cfg} | options
        features = flavours.pop("features", self.channels)
        return ConvModule(
            features, side, stride, padding=side // 2, **flavours, name=name
        )


class Bottleneck(BasicBlock):
    """A 1x1, a 3x3 and a 1x1 convolution that doubles the channels."""

    has_last_act: bool = False

    expansion = 2

    def _residual(self, x, train):
        x = self._conv("conv1", 1)(x, train)
        x = self._conv("conv2", 3, self.stride)(x, train)
        wide = self.channels * self.expansion
        return self._conv("conv3", 1, features=wide, act_cfg=None)(x, train)

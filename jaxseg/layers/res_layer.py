"""Residual blocks of ResNet and what derives from it: mmseg's BasicBlock and Bottleneck.

Deep Residual Learning for Image Recognition, https://arxiv.org/abs/1512.03385
Aggregated Residual Transformations for Deep Neural Networks,
https://arxiv.org/abs/1611.05431
"""

import math
from typing import Any

import flax.linen as nn
import jax

from jaxseg.layers.conv import ConvLayer, conv_layer, kaiming_normal
from jaxseg.layers.deform_conv import Deformable
from jaxseg.layers.norm import BN, Norm
from jaxseg.layers.plugin import BlockPlugin, Position
from jaxseg.ops.pool import avg_pool


class Downsample(nn.Module):
    """The projection on a block's shortcut; items are numbered as in mmseg.

    Attributes:
        channels: channels of the result.
        stride: the stride of the block.
        avg_down: whether an average pooling has the stride, not the convolution.
        norm_cfg: the norm behind the convolution.
        kernel_init: starting values of the convolution.
        conv_cfg: the kind of the convolution.
    """

    channels: int
    stride: int
    avg_down: bool
    norm_cfg: Norm
    kernel_init: Any = kaiming_normal
    conv_cfg: ConvLayer | None = None

    @nn.compact
    def __call__(self, x, train: bool):
        stride, item = self.stride, 0
        if self.avg_down:
            x, stride, item = avg_pool(x, stride), 1, 1
        x = conv_layer(
            self.conv_cfg,
            self.channels,
            1,
            stride=stride,
            bias=False,
            kernel_init=self.kernel_init,
            name=str(item),
        )(x)
        return self.norm_cfg(name=str(item + 1))(x, train)


class ResBlock(nn.Module):
    """What all kinds of block have.

    Attributes:
        planes: channels of the inner convolutions; the block gives
            `planes * expansion`.
        stride: the stride of the block.
        dilation: the dilation of its 3x3 convolutions.
        style: `pytorch` or `caffe`, as of ResNet.
        avg_down: average pooling before the projection of the shortcut.
        norm_cfg: the norm behind every convolution.
        last_scale_init: starting scale of the block's last norm.
        conv_cfg: the kind of every convolution.
        last_dilation: the dilation of the last convolution, where it is 3x3.
        expansion: output channels over `planes`.
    """

    planes: int
    stride: int = 1
    dilation: int = 1
    style: str = "pytorch"
    avg_down: bool = False
    norm_cfg: Norm = BN()
    last_scale_init: Any = nn.initializers.ones
    conv_cfg: ConvLayer | None = None
    last_dilation: int = 1

    expansion = 1

    def shortcut(self, x, train):
        """x, projected where the block changes its size or its channels."""
        channels = self.planes * self.expansion
        if self.stride == 1 and x.shape[-1] == channels:
            return x
        return Downsample(
            channels,
            self.stride,
            self.avg_down,
            self.norm_cfg,
            conv_cfg=self.conv_cfg,
            name="downsample",
        )(x, train)

    def conv_norm(
        self,
        x,
        index,
        train,
        channels,
        side,
        stride=1,
        groups=1,
        last=False,
        conv_cfg=None,
    ):
        """The convolution `conv{index}` and the norm of its number."""
        dilation = self.last_dilation if last else self.dilation
        dilation = dilation if side == 3 else 1
        x = conv_layer(
            conv_cfg or self.conv_cfg,
            channels,
            side,
            stride=stride,
            padding=dilation if side == 3 else 0,
            dilation=dilation,
            groups=groups,
            bias=False,
            name=f"conv{index}",
        )(x)
        norm = self.norm_cfg(
            f"{self.norm_cfg.abbr}{index}",
            self.last_scale_init if last else nn.initializers.ones,
        )
        return norm(x, train)


class ResBasicBlock(ResBlock):
    """Two 3x3 convolutions; in mmseg the second is never dilated."""

    @nn.compact
    def __call__(self, x, train: bool):
        return jax.nn.relu(self.residual(x, train) + self.shortcut(x, train))

    def residual(self, x, train: bool):
        """What is added to the shortcut."""
        y = jax.nn.relu(self.conv_norm(x, 1, train, self.planes, 3, self.stride))
        return self.conv_norm(y, 2, train, self.planes, 3, last=True)


class ResBottleneck(ResBlock):
    """1x1, 3x3 and 1x1 convolutions; `style` says which one has the stride.

    Attributes:
        groups: groups of the 3x3 convolution.
        base_width: channels of a group where `planes` is `base_channels`; without
            groups the 3x3 convolution has `planes` channels.
        base_channels: the `planes` that `base_width` is meant for.
        dcn: the kind of the 3x3 convolution where it is deformable, or None.
        plugins: what follows its convolutions.
        The others are ResBlock's.
    """

    groups: int = 1
    base_width: int = 4
    base_channels: int = 64
    dcn: Deformable | None = None
    plugins: tuple[BlockPlugin, ...] = ()

    expansion = 4

    @nn.compact
    def __call__(self, x, train: bool):
        first, second = (
            (1, self.stride) if self.style == "pytorch" else (self.stride, 1)
        )
        y = jax.nn.relu(self.conv_norm(x, 1, train, self.width, 1, first))
        y = self.plugged(y, "after_conv1", train)
        y = self.spatial(y, second, train)
        y = self.plugged(y, "after_conv2", train)
        y = self.conv_norm(y, 3, train, self.planes * self.expansion, 1, last=True)
        y = self.plugged(y, "after_conv3", train)
        return jax.nn.relu(y + self.shortcut(x, train))

    def plugged(self, x, position: Position, train: bool):
        """x after the plugins of a position.

        As in mmseg 1.2.2 each of them is given x, not what the one before made of it:
        what the last one makes is all that goes on.
        """
        y = x
        for plugin in self.plugins:
            if plugin.position == position:
                y = plugin.cfg.clone(parent=self, name=plugin.name)(x, train)
        return y

    @property
    def width(self) -> int:
        """Channels of the 3x3 convolution."""
        if self.groups == 1:
            return self.planes
        return math.floor(self.planes * (self.base_width / self.base_channels)) * (
            self.groups
        )

    def spatial(self, x, stride: int, train: bool):
        """The 3x3 convolution with norm and activation."""
        return jax.nn.relu(
            self.conv_norm(
                x, 2, train, self.width, 3, stride, self.groups, conv_cfg=self.dcn
            )
        )

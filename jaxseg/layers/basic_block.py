"""Residual blocks of real-time networks: mmseg's BasicBlock and Bottleneck.

Unlike ResNet's they consist of ConvModules, and their last activation is optional.
"""

import flax.linen as nn
import jax

from jaxseg.layers.activation import Act, ReLU
from jaxseg.layers.conv import ConvModule, torch_start
from jaxseg.layers.norm import BN, Norm
from jaxseg.layers.res_layer import Downsample


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and the shortcut. https://arxiv.org/abs/1512.03385

    Attributes:
        channels: the number of channels of the convolutions; the block gives
            `channels * expansion`.
        stride: the stride of the first 3x3 convolution.
        downsample_norm: norm of the 1x1 convolution on the shortcut; None: the shortcut
            is the input itself.
        numbered_downsample: whether checkpoints number that convolution and its norm,
            as DDRNet's do; otherwise they are a ConvModule.
        norm_cfg, act_cfg: flavours of the convolutions.
        has_last_act: whether a ReLU follows the sum.
    """

    channels: int
    stride: int = 1
    downsample_norm: Norm | None = None
    norm_cfg: Norm = BN()
    act_cfg: Act = ReLU()
    has_last_act: bool = True
    numbered_downsample: bool = False

    expansion = 1

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> (N, H / stride, W / stride, channels * expansion)."""
        y = self._residual(x, train)
        if self.downsample_norm is not None:
            x = self._downsample(x.shape[-1])(x, train)
        y = y + x
        return jax.nn.relu(y) if self.has_last_act else y

    def _downsample(self, in_channels):
        channels, stride = self.channels * self.expansion, self.stride
        norm_cfg, name = self.downsample_norm, "downsample"
        if self.numbered_downsample:
            # No ConvModule: mmseg leaves it as torch starts it.
            init = torch_start(in_channels)["kernel_init"]
            return Downsample(channels, stride, False, norm_cfg, init, name=name)
        return ConvModule(channels, 1, stride, norm_cfg=norm_cfg, name=name)

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


def row_of_blocks(
    name: str,
    block: type[BasicBlock],
    x: jax.Array,
    channels: int,
    train: bool,
    *,
    count: int,
    stride: int = 1,
    downsample_norm: Norm,
    norm_cfg: Norm = BN(),
    numbered_downsample: bool = False,
) -> jax.Array:
    """Blocks in a row, `name.0`, `name.1`, ...; several of them end without activation.

    Args:
        name: the key of the row.
        block: the kind of its blocks.
        x: (N, H, W, C).
        channels: channels of the blocks.
        train: whether the norms use the batch.
        count: how many blocks.
        stride: the stride of the first one.
        downsample_norm: norm of its shortcut, where that changes the map.
        norm_cfg: norm of the blocks behind the first one, which has batch norm.
        numbered_downsample: as of the blocks.
    """
    x = block(
        channels,
        stride,
        shortcut_norm(block, x, channels, stride, downsample_norm),
        numbered_downsample=numbered_downsample,
        name=f"{name}.0",
    )(x, train)
    for k in range(1, count):
        x = block(
            channels,
            norm_cfg=norm_cfg,
            has_last_act=k < count - 1,
            name=f"{name}.{k}",
        )(x, train)
    return x


def shortcut_norm(
    block: type[BasicBlock], x: jax.Array, channels: int, stride: int, norm: Norm
) -> Norm | None:
    """`downsample_norm` of a block: `norm`, or None where it does not change the map."""
    is_same = stride == 1 and x.shape[-1] == channels * block.expansion
    return None if is_same else norm

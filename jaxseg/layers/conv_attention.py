"""Attention made of convolutions: the blocks of VAN and of SegNeXt's MSCAN.

Visual Attention Network: https://arxiv.org/abs/2202.09741
"""

from collections.abc import Callable

import flax.linen as nn
import jax

from jaxseg.layers.activation import Act
from jaxseg.layers.conv import Conv2d, normal_of_fan_out
from jaxseg.layers.dropout import Dropout, DropPath
from jaxseg.layers.layer_scale import layer_scale
from jaxseg.layers.norm import Norm
from jaxseg.ops.pair import Pair

_LAYER_SCALE = 1e-2


def depthwise(
    x: jax.Array, kernel_size: Pair, padding: Pair, name: str, dilation: int = 1
) -> jax.Array:
    """A depthwise convolution of (N, H, W, C) with a bias; inside an `nn.compact`."""
    channels = x.shape[-1]
    return Conv2d(
        channels,
        kernel_size,
        padding=padding,
        dilation=dilation,
        groups=channels,
        kernel_init=normal_of_fan_out(channels),
        name=name,
    )(x)


class ConvMlp(nn.Module):
    """Two 1x1 convolutions with a depthwise 3x3 one and an activation in between.

    Attributes:
        hidden: channels in the middle.
        drop_rate: dropout rate after the activation and after the last convolution.
        act_cfg: the activation.
        relu_first: a ReLU before the depthwise convolution.
    """

    hidden: int
    drop_rate: float
    act_cfg: Act
    relu_first: bool = False

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> the same shape."""
        drop = Dropout(self.drop_rate, name="drop")
        y = Conv2d(self.hidden, name="fc1")(x)
        y = jax.nn.relu(y) if self.relu_first else y
        y = self.act_cfg(name="act")(depthwise(y, 3, 1, "dwconv"))
        y = Conv2d(x.shape[-1], name="fc2")(drop(y, train))
        return drop(y, train)


class _ConvAttention(nn.Module):
    """A map times what convolutions make of it, between two projections."""

    gate: Callable[..., nn.Module]
    act_cfg: Act

    @nn.compact
    def __call__(self, x):
        channels = x.shape[-1]
        y = self.act_cfg(name="activation")(Conv2d(channels, name="proj_1")(x))
        y = y * self.gate(name="spatial_gating_unit")(y)
        return x + Conv2d(channels, name="proj_2")(y)


class ConvAttentionBlock(nn.Module):
    """Attention and an MLP, each after a norm, with a learned factor a channel.

    Attributes:
        gate: called with a name, it makes the module (N, H, W, C) -> (N, H, W, C) whose
            result the attention multiplies its map with.
        hidden: channels of the MLP.
        drop_rate: dropout rate of the MLP.
        drop_path_rate: probability that a sample skips a branch.
        norm_cfg, act_cfg: flavours of the layers.
        relu_first: of `ConvMlp`.
    """

    gate: Callable[..., nn.Module]
    hidden: int
    drop_rate: float
    drop_path_rate: float
    norm_cfg: Norm
    act_cfg: Act
    relu_first: bool = False

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> the same shape."""
        drop_path = DropPath(self.drop_path_rate, name="drop_path")
        attend = _ConvAttention(self.gate, self.act_cfg, name="attn")
        y = attend(self.norm_cfg(name="norm1")(x, train))
        y = layer_scale(self, "layer_scale_1", _LAYER_SCALE, y)
        x = x + drop_path(y, train)
        mlp = ConvMlp(
            self.hidden, self.drop_rate, self.act_cfg, self.relu_first, name="mlp"
        )
        y = mlp(self.norm_cfg(name="norm2")(x, train), train)
        y = layer_scale(self, "layer_scale_2", _LAYER_SCALE, y)
        return x + drop_path(y, train)

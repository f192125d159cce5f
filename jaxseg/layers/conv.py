"""Convolution layers with mmcv's names."""

from typing import Any

import flax.linen as nn
import jax

from jaxseg.layers.activation import Act
from jaxseg.layers.norm import Norm
from jaxseg.ops.conv import conv2d, conv_transpose2d

# torch's names of the starting values, for kernels whose last axis is the output.
kaiming_normal = nn.initializers.variance_scaling(2.0, "fan_out", "normal")
xavier_uniform = nn.initializers.variance_scaling(1.0, "fan_avg", "uniform")
kaiming_normal_fan_in = nn.initializers.variance_scaling(2.0, "fan_in", "normal")
# torch's default of a transposed convolution, kaiming_uniform(a=sqrt(5)) over outputs.
torch_default = nn.initializers.variance_scaling(1 / 3, "fan_out", "uniform")


class Conv2d(nn.Module):
    """A convolution on (N, H, W, C) in x's dtype.

    Attributes:
        features: number of output channels.
        kernel_size: side of the kernel in pixels.
        stride, padding, dilation: in pixels, the same on both axes.
        groups: number of channel groups.
        bias: whether a bias is added.
        kernel_init: starting values; mmcv's default is Kaiming's.
    """

    features: int
    kernel_size: int = 1
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1
    bias: bool = True
    kernel_init: Any = kaiming_normal

    @nn.compact
    def __call__(self, x):
        side = self.kernel_size
        shape = (side, side, x.shape[-1] // self.groups, self.features)
        kernel = self.param("kernel", self.kernel_init, shape).astype(x.dtype)
        x = conv2d(x, kernel, self.stride, self.padding, self.dilation, self.groups)
        if self.bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,))
            x = x + bias.astype(x.dtype)
        return x


class ConvTranspose2d(nn.Module):
    """A transposed convolution on (N, H, W, C); fields as torch's."""

    features: int
    kernel_size: int
    stride: int
    padding: int

    @nn.compact
    def __call__(self, x):
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        # Its own leaf name, because torch keeps this kernel's channels the other
        # way round (convert/names.py).
        kernel = self.param("transposed_kernel", torch_default, shape)
        bias = self.param("bias", self._bias_init, (self.features,))
        x = conv_transpose2d(x, kernel.astype(x.dtype), self.stride, self.padding)
        return x + bias.astype(x.dtype)

    def _bias_init(self, key, shape):
        # torch's default; mmseg's Kaiming values are for Conv2d alone.
        bound = (self.features * self.kernel_size**2) ** -0.5
        return jax.random.uniform(key, shape, minval=-bound, maxval=bound)


class ConvModule(nn.Module):
    """Convolution, norm and activation: mmcv's ConvModule.

    The convolution has a bias only where there is no norm. Submodules are `conv`
    and the norm's abbreviation (`bn`).

    Attributes:
        norm_cfg: an entry such as `SyncBN()`, or None.
        act_cfg: an entry such as `ReLU()`, or None.
        The others are Conv2d's.
    """

    features: int
    kernel_size: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1
    norm_cfg: Norm | None = None
    act_cfg: Act | None = None
    kernel_init: Any = kaiming_normal

    @nn.compact
    def __call__(self, x, train: bool):
        x = Conv2d(
            self.features,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            bias=self.norm_cfg is None,
            kernel_init=self.kernel_init,
            name="conv",
        )(x)
        if self.norm_cfg is not None:
            x = self.norm_cfg(name=self.norm_cfg.abbr)(x, train)
        return x if self.act_cfg is None else self.act_cfg(x)


class DepthwiseSeparableConvModule(nn.Module):
    """A depthwise ConvModule, then a 1x1 one. https://arxiv.org/abs/1610.02357"""

    features: int
    kernel_size: int
    padding: int = 0
    dilation: int = 1
    norm_cfg: Norm | None = None
    act_cfg: Act | None = None

    @nn.compact
    def __call__(self, x, train: bool):
        x = ConvModule(
            x.shape[-1],
            self.kernel_size,
            padding=self.padding,
            dilation=self.dilation,
            groups=x.shape[-1],
            norm_cfg=self.norm_cfg,
            act_cfg=self.act_cfg,
            name="depthwise_conv",
        )(x, train)
        return ConvModule(
            self.features,
            1,
            norm_cfg=self.norm_cfg,
            act_cfg=self.act_cfg,
            name="pointwise_conv",
        )(x, train)

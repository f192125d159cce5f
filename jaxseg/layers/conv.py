"""Convolution layers with mmcv's names, and the role of `conv_cfg`."""

import dataclasses
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax

from jaxseg.layers.activation import Act
from jaxseg.layers.norm import Norm
from jaxseg.ops.conv import conv2d, conv_transpose2d
from jaxseg.ops.narrow import spread
from jaxseg.ops.pad import pad_map
from jaxseg.ops.pair import Pair, as_pair

# torch's names of the starting values, for kernels whose last axis is the output.
kaiming_normal = nn.initializers.variance_scaling(2.0, "fan_out", "normal")
# flax's xavier_normal has its tails cut off.
xavier_normal = nn.initializers.variance_scaling(1.0, "fan_avg", "normal")
xavier_uniform = nn.initializers.variance_scaling(1.0, "fan_avg", "uniform")
# caffe2's XavierFill.
caffe2_xavier = nn.initializers.variance_scaling(1.0, "fan_in", "uniform")
kaiming_normal_fan_in = nn.initializers.variance_scaling(2.0, "fan_in", "normal")
# torch's default of a transposed convolution, kaiming_uniform(a=sqrt(5)) over outputs.
torch_default = nn.initializers.variance_scaling(1 / 3, "fan_out", "uniform")


def normal_of_fan_out(groups: int) -> Callable[..., jax.Array]:
    """Kaiming's starting values with the outputs counted a group, as MiT's and VAN's.

    Args:
        groups: channel groups of the convolution; with 1 it is `kaiming_normal`.
    """
    return nn.initializers.variance_scaling(2.0 * groups, "fan_out", "normal")


_torch_kernel = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")


def torch_default_bias(fan_in: int) -> Callable[..., jax.Array]:
    """torch's starting values of a bias; fan_in: inputs of an output's sum."""
    bound = fan_in**-0.5

    def init(key, shape):
        return jax.random.uniform(key, shape, minval=-bound, maxval=bound)

    return init


def torch_start(fan_in: int) -> dict[str, Any]:
    """Fields of a `Conv2d` or `Linear` that starts as torch's own layers do.

    mmseg leaves them so wherever a layer is no ConvModule.

    Args:
        fan_in: inputs of an output's sum.
    """
    return {"kernel_init": _torch_kernel, "bias_init": torch_default_bias(fan_in)}


class Conv2d(nn.Module):
    """A convolution on (N, H, W, C) in x's dtype.

    One number stands for both axes, a pair for (vertical, horizontal).

    Attributes:
        features: number of output channels.
        kernel_size: sides of the kernel in pixels.
        stride, padding, dilation: in pixels.
        groups: number of channel groups.
        bias: whether a bias is added.
        padding_mode: what is padded: `zeros`, `reflect`, `replicate` or `circular`.
        kernel_init: starting values; mmcv's default is Kaiming's.
        bias_init: starting values of the bias.
    """

    features: int
    kernel_size: Pair = 1
    stride: Pair = 1
    padding: Pair = 0
    dilation: Pair = 1
    groups: int = 1
    bias: bool = True
    padding_mode: str = "zeros"
    kernel_init: Any = kaiming_normal
    bias_init: Any = nn.initializers.zeros

    @nn.compact
    def __call__(self, x):
        shape = (
            *as_pair(self.kernel_size),
            x.shape[-1] // self.groups,
            self.features,
        )
        kernel = self.weight(self.param("kernel", self.kernel_init, shape))
        padding = as_pair(self.padding)
        if self.padding_mode != "zeros":
            x, padding = pad_map(x, padding, self.padding_mode), (0, 0)
        x = self.convolve(x, kernel.astype(x.dtype), padding)
        if self.bias:
            bias = self.param("bias", self.bias_init, (self.features,))
            x = x + spread(bias, x)
        return x

    def weight(self, kernel):
        """What x is convolved with, made of the parameter."""
        return kernel

    def convolve(self, x, kernel, padding: tuple[int, int]):
        """x convolved with a kernel of its dtype."""
        return conv2d(x, kernel, self.stride, padding, self.dilation, self.groups)


class ConvLayer:
    """The role of `conv_cfg`: called with fields of a `Conv2d`, an entry makes one.

    Attributes:
        takes_padding, takes_bands: as of a backbone.
    """

    takes_padding = False
    takes_bands = False

    def __call__(
        self, features: int, kernel_size: Pair, *, name: str, **fields: Any
    ) -> Conv2d:
        """The layer, a `Conv2d` or a module derived from it."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Conv(ConvLayer):
    """The ordinary convolution, which no `conv_cfg` stands for, too."""

    takes_padding = True
    takes_bands = True

    aliases = ("Conv2d",)

    def __call__(self, features, kernel_size, *, name, **fields):
        return Conv2d(features, kernel_size, **fields, name=name)


def conv_layer(
    conv_cfg: ConvLayer | None,
    features: int,
    kernel_size: Pair,
    *,
    name: str,
    **fields: Any,
) -> Conv2d:
    """The layer of a `conv_cfg`, with these fields of a `Conv2d`."""
    return (conv_cfg or Conv())(features, kernel_size, **fields, name=name)


class ConvTranspose2d(nn.Module):
    """A transposed convolution on (N, H, W, C); fields as torch's."""

    features: int
    kernel_size: int
    stride: int
    padding: int
    output_padding: int = 0
    bias: bool = True
    kernel_init: Any = torch_default

    @nn.compact
    def __call__(self, x):
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        # Its own leaf name, because torch keeps this kernel's channels the other
        # way round (convert/names.py).
        kernel = self.param("transposed_kernel", self.kernel_init, shape)
        kernel = kernel.astype(x.dtype)
        y = conv_transpose2d(x, kernel, self.stride, self.padding, self.output_padding)
        if not self.bias:
            return y
        # torch's default, which counts a transposed convolution's outputs; mmseg's
        # Kaiming values are for Conv2d alone.
        bias_init = torch_default_bias(self.features * self.kernel_size**2)
        return y + spread(self.param("bias", bias_init, (self.features,)), y)


class ConvModule(nn.Module):
    """Convolution, norm and activation: mmcv's ConvModule.

    Submodules are `conv`, the norm's abbreviation (`bn`), and `activate`.

    Attributes:
        norm_cfg: an entry such as `SyncBN()`, or None.
        act_cfg: an entry such as `ReLU()`, or None.
        order: in which order the three are applied; the norm has as many channels as
            what it is applied to.
        bias: whether the convolution has a bias; None: where there is no norm.
        conv_cfg: the kind of the convolution.
        The others are Conv2d's.
    """

    features: int
    kernel_size: Pair
    stride: Pair = 1
    padding: Pair = 0
    dilation: Pair = 1
    groups: int = 1
    norm_cfg: Norm | None = None
    act_cfg: Act | None = None
    order: tuple[str, str, str] = ("conv", "norm", "act")
    bias: bool | None = None
    padding_mode: str = "zeros"
    kernel_init: Any = kaiming_normal
    conv_cfg: ConvLayer | None = None

    @nn.compact
    def __call__(self, x, train: bool):
        for step in self.order:
            if step == "conv":
                x = self._conv()(x)
            elif step == "norm" and self.norm_cfg is not None:
                x = self.norm_cfg(name=self.norm_cfg.abbr)(x, train)
            elif step == "act" and self.act_cfg is not None:
                x = self.act_cfg(name="activate")(x)
        return x

    def _conv(self):
        return conv_layer(
            self.conv_cfg,
            self.features,
            self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
            bias=self.norm_cfg is None if self.bias is None else self.bias,
            padding_mode=self.padding_mode,
            kernel_init=self.kernel_init,
            name="conv",
        )


class DepthwiseSeparableConvModule(nn.Module):
    """A depthwise ConvModule, then a 1x1 one. https://arxiv.org/abs/1610.02357

    Attributes:
        act_cfg: activation behind the 1x1 convolution.
        dw_act_cfg: activation behind the depthwise convolution.
        The others are ConvModule's; stride, padding and dilation are those of the
            depthwise convolution.
    """

    features: int
    kernel_size: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    norm_cfg: Norm | None = None
    act_cfg: Act | None = None
    dw_act_cfg: Act | None = None

    @nn.compact
    def __call__(self, x, train: bool):
        x = ConvModule(
            x.shape[-1],
            self.kernel_size,
            self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=x.shape[-1],
            norm_cfg=self.norm_cfg,
            act_cfg=self.dw_act_cfg,
            name="depthwise_conv",
        )(x, train)
        return ConvModule(
            self.features,
            1,
            norm_cfg=self.norm_cfg,
            act_cfg=self.act_cfg,
            name="pointwise_conv",
        )(x, train)

"""Deformable convolution layers, v1 and v2, and the entries that name them.

Deformable Convolutional Networks, https://arxiv.org/abs/1703.06211
Deformable ConvNets v2: More Deformable, Better Results,
https://arxiv.org/abs/1811.11168
"""

import dataclasses

import flax.linen as nn
import jax

from jaxseg.errors import FieldError
from jaxseg.layers.conv import Conv2d, ConvLayer
from jaxseg.ops.deform_conv import deform_conv2d
from jaxseg.ops.narrow import wide

# The start of mmcv's DeformConv2d, and of its ModulatedDeformConv2d, which counts the
# inputs of all groups.
_he_uniform = nn.initializers.variance_scaling(2.0, "fan_in", "uniform")


def _modulated_start(groups):
    return nn.initializers.variance_scaling(1 / (3 * groups), "fan_in", "uniform")


class DeformConv2d(Conv2d):
    """mmcv's DeformConv2dPack: a convolution finds the offsets of the taps.

    They start at 0, where it is an ordinary convolution.

    Attributes:
        deform_groups: parts of the channels with offsets of their own.
        modulated: whether each tap has a factor, too: mmcv's ModulatedDeformConv2dPack.
            The factors start at 1/2.
    """

    deform_groups: int = 1
    modulated: bool = False

    def convolve(self, x, kernel, padding):
        if x.shape[-1] % self.deform_groups:
            raise FieldError(
                f"deform_groups is {self.deform_groups}, which does not divide the "
                f"{x.shape[-1]} channels of {'.'.join(self.path)}"
            )
        taps = self.deform_groups * kernel.shape[0] * kernel.shape[1]
        found = Conv2d(
            taps * (3 if self.modulated else 2),
            self.kernel_size,
            self.stride,
            padding,
            self.dilation,
            kernel_init=nn.initializers.zeros,
            name="conv_offset",
        )(x)
        # mmcv joins the first two thirds again: their order is that of one map.
        offset, mask = found[..., : 2 * taps], None
        if self.modulated:
            mask = jax.nn.sigmoid(wide(found[..., 2 * taps :]))
        return deform_conv2d(
            x, kernel, offset, mask, self.stride, padding, self.dilation, self.groups
        )


@dataclasses.dataclass(frozen=True)
class Deformable(ConvLayer):
    """The base of `DCN` and `DCNv2`, and the role of a ResNet's `dcn`.

    Attributes:
        deform_groups: parts of the channels with offsets of their own; it divides the
            channels.
        fallback_on_stride: of a ResNet's `dcn`: as in mmseg 1.2.2, the first deformable
            block of a ResNet has an ordinary convolution, whatever its stride; a
            ResNeXt or ResNeSt does not ask. A `conv_cfg` has it False.
    """

    deform_groups: int = 1
    fallback_on_stride: bool = False

    def __post_init__(self):
        if self.deform_groups < 1:
            raise FieldError(
                f"deform_groups is {self.deform_groups}, allowed: 1 or more"
            )


@dataclasses.dataclass(frozen=True)
class DCN(Deformable):
    """Deformable convolution, mmcv's DCN. It has no bias."""

    takes_padding = True
    takes_bands = False

    def __call__(self, features, kernel_size, *, name, **fields):
        if fields.get("bias", True):
            raise FieldError(
                f"conv_cfg: DCN has no bias, which the convolution {name!r} needs; "
                "DCNv2 has one"
            )
        return DeformConv2d(
            features,
            kernel_size,
            **fields | {"kernel_init": _he_uniform},
            deform_groups=self.deform_groups,
            name=name,
        )


@dataclasses.dataclass(frozen=True)
class DCNv2(Deformable):
    """Modulated deformable convolution, mmcv's DCNv2."""

    takes_padding = True
    takes_bands = False

    def __call__(self, features, kernel_size, *, name, **fields):
        start = {"kernel_init": _modulated_start(fields.get("groups", 1))}
        return DeformConv2d(
            features,
            kernel_size,
            **fields | start,
            deform_groups=self.deform_groups,
            modulated=True,
            name=name,
        )

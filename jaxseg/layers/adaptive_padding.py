"""Convolution with TensorFlow's padding `same`, and the entry that names it."""

import dataclasses

import jax.numpy as jnp

from jaxseg.layers.conv import Conv2d, ConvLayer
from jaxseg.ops.conv import conv2d
from jaxseg.ops.pair import as_pair


class AdaptivelyPaddedConv2d(Conv2d):
    """mmcv's Conv2dAdaptivePadding: H rows become ceil(H / stride).

    `padding` is not read: as many zeros are added as the windows reach beyond the
    image, one more below and on the right where their number is odd.
    """

    def convolve(self, x, kernel, padding):
        del padding
        stride, dilation = as_pair(self.stride), as_pair(self.dilation)
        pads = [(0, 0), (0, 0)]
        for size, side, step, tap in zip(
            x.shape[1:3], kernel.shape[:2], stride, dilation, strict=True
        ):
            reach = (-(-size // step) - 1) * step + (side - 1) * tap + 1
            extra = max(reach - size, 0)
            pads.insert(-1, (extra // 2, extra - extra // 2))
        return conv2d(jnp.pad(x, pads), kernel, stride, 0, dilation, self.groups)


@dataclasses.dataclass(frozen=True)
class Conv2dAdaptivePadding(ConvLayer):
    """Padding that fits the size of the image, which runs at exact sizes."""

    takes_padding = False
    takes_bands = False

    def __call__(self, features, kernel_size, *, name, **fields):
        return AdaptivelyPaddedConv2d(features, kernel_size, **fields, name=name)

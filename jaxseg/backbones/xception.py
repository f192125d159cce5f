"""Aligned Xception of DeepLabV3+: https://arxiv.org/abs/1802.02611."""

import flax.linen as nn
import jax

from jaxseg.backbones.backbone import Backbone
from jaxseg.errors import FieldError
from jaxseg.layers.conv import Conv2d
from jaxseg.layers.norm import BN, Norm
from jaxseg.layers.remat import remat_if

# Of each output stride: the stride of block 3, the dilation of blocks 4 to 19, that of
# block 20, and that of the three convolutions behind it.
_STRIDES = {16: (2, 1, 1, 2), 8: (1, 2, 2, 4)}


class _SeparableConv(nn.Module):
    """A depthwise 3x3 convolution, a norm, a 1x1 convolution."""

    features: int
    stride: int
    dilation: int
    norm_cfg: Norm

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> (N, H / stride, W / stride, features)."""
        channels, dilation = x.shape[-1], self.dilation
        x = Conv2d(
            channels,
            3,
            self.stride,
            dilation,
            dilation,
            channels,
            bias=False,
            name="conv1",
        )(x)
        x = self.norm_cfg(name="bn")(x, train)
        return Conv2d(self.features, 1, bias=False, name="pointwise")(x)


class _Block(nn.Module):
    """Separable convolutions with norms, `rep`, and a shortcut.

    Attributes:
        channels: channels behind each of them, the one with the stride included.
        stride: 1, or 2 of the last convolution.
        dilation: of all but the last convolution where `has_end`.
        has_end: whether the last convolution is one more, with the stride.
        starts_with_relu: whether a ReLU stands before the first convolution. It changes
            the shortcut's input, too: it is done in place in the original repository.
        norm_cfg: the norm behind every convolution.
    """

    channels: tuple[int, ...]
    stride: int
    dilation: int
    has_end: bool
    starts_with_relu: bool
    norm_cfg: Norm

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> (N, H / stride, W / stride, channels[-1])."""
        x = jax.nn.relu(x) if self.starts_with_relu else x
        y, item = x, int(self.starts_with_relu)
        for i, channels in enumerate(self.channels):
            is_end = self.has_end and i == len(self.channels) - 1
            stride, dilation = (self.stride, 1) if is_end else (1, self.dilation)
            y = jax.nn.relu(y) if i else y
            y = _SeparableConv(
                channels, stride, dilation, self.norm_cfg, name=f"rep.{item}"
            )(y, train)
            y = self.norm_cfg(name=f"rep.{item + 1}")(y, train)
            item += 3  # a convolution, its norm, the next ReLU
        return y + self._shortcut(x, train)

    def _shortcut(self, x, train):
        channels = self.channels[-1]
        if self.stride == 1 and x.shape[-1] == channels:
            return x
        x = Conv2d(channels, 1, self.stride, bias=False, name="skip")(x)
        return self.norm_cfg(name="skipbn")(x, train)


class AlignedXception(Backbone, kw_only=True):
    """Xception with strides in place of pooling; pytorch-deeplab-xception's.

    https://github.com/jfzhang95/pytorch-deeplab-xception

    Attributes:
        output_stride: the image's size over that of the last map, 8 or 16.
        middle_blocks: number of blocks in the middle, the 4th and those behind it.
        channels: channels of the stem's two convolutions, of the first three blocks,
            of the last block and of the last three convolutions.
        norm_cfg: norm of every layer.
        norm_eval: norms use and keep their running statistics in training.
        with_cp: compute a block's activations again in the backward pass.
    """

    output_stride: int = 16
    middle_blocks: int = 16
    channels: tuple[int, ...] = (32, 64, 128, 256, 728, 1024, 1536, 1536, 2048)
    norm_cfg: Norm = BN()
    norm_eval: bool = False
    with_cp: bool = False

    takes_padding = True
    takes_bands = True

    def __post_init__(self):
        if self.output_stride not in _STRIDES:
            raise FieldError(
                f"output_stride is {self.output_stride}, allowed: 8 and 16"
            )
        if len(self.channels) != 9:
            raise FieldError(f"channels is {self.channels}, allowed: nine numbers")
        super().__post_init__()

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, in_channels) -> the maps behind block 1 and the last convolution.

        They are (N, H/4, W/4, channels[2]) and, with an output stride of s,
        (N, H/s, W/s, channels[8]).
        """
        train = train and not self.norm_eval
        stride, middle, end_dilation, last_dilation = _STRIDES[self.output_stride]
        for k, stem_stride in ((1, 2), (2, 1)):
            features = self.channels[k - 1]
            x = Conv2d(features, 3, stem_stride, 1, bias=False, name=f"conv{k}")(x)
            x = jax.nn.relu(self.norm_cfg(name=f"bn{k}")(x, train))
        one, two, three, end = self.channels[2:6]
        x = self._block(1, (one,) * 3, 2, starts_with_relu=False)(x, train)
        low = x = jax.nn.relu(x)
        x = self._block(2, (two,) * 3, 2, starts_with_relu=False)(x, train)
        x = self._block(3, (three,) * 3, stride)(x, train)
        for k in range(4, 4 + self.middle_blocks):
            x = self._block(k, (three,) * 3, 1, middle, has_end=False)(x, train)
        number = 4 + self.middle_blocks
        x = self._block(number, (three, end, end), 1, end_dilation)(x, train)
        x = jax.nn.relu(x)
        for k, features in enumerate(self.channels[6:], 3):
            x = _SeparableConv(
                features, 1, last_dilation, self.norm_cfg, name=f"conv{k}"
            )(x, train)
            x = jax.nn.relu(self.norm_cfg(name=f"bn{k}")(x, train))
        return low, x

    def _block(
        self,
        number,
        channels,
        stride,
        dilation=1,
        has_end=True,
        starts_with_relu=True,
    ):
        return remat_if(_Block, self.with_cp)(
            channels,
            stride,
            dilation,
            has_end,
            starts_with_relu,
            self.norm_cfg,
            name=f"block{number}",
        )

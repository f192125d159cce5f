"""U-Net: https://arxiv.org/abs/1505.04597."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import flax.linen as nn
import jax.numpy as jnp

from jaxseg.backbones.backbone import Backbone
from jaxseg.errors import FieldError, ModelSizeError
from jaxseg.layers.activation import Act, ReLU
from jaxseg.layers.conv import ConvModule, ConvTranspose2d
from jaxseg.layers.norm import BN, Norm
from jaxseg.layers.remat import remat_if
from jaxseg.ops.pool import max_pool
from jaxseg.ops.resize import upsample


class _BasicConvBlock(nn.Module):
    """`num_convs` 3x3 ConvModules; only those after the first are dilated."""

    features: int
    num_convs: int
    stride: int
    dilation: int
    norm_cfg: Norm | None
    act_cfg: Act | None

    @nn.compact
    def __call__(self, x, train: bool):
        for i in range(self.num_convs):
            dilation = 1 if i == 0 else self.dilation
            x = ConvModule(
                self.features,
                3,
                self.stride if i == 0 else 1,
                padding=dilation,
                dilation=dilation,
                norm_cfg=self.norm_cfg,
                act_cfg=self.act_cfg,
                name=f"convs.{i}",
            )(x, train)
        return x


class _InterpConvLayer(nn.Module):
    features: int
    entry: "InterpConv"
    norm_cfg: Norm | None
    act_cfg: Act | None

    @nn.compact
    def __call__(self, x, train: bool):
        conv = ConvModule(
            self.features,
            self.entry.kernel_size,
            self.entry.stride,
            self.entry.padding,
            norm_cfg=self.norm_cfg,
            act_cfg=self.act_cfg,
            # An item of a Sequential with the upsampling, which has no weights.
            name=f"interp_upsample.{0 if self.entry.conv_first else 1}",
        )
        if self.entry.conv_first:
            return self._upsample(conv(x, train))
        return conv(self._upsample(x), train)

    def _upsample(self, x):
        options = dict(self.entry.upsample_cfg)
        factor = options.pop("scale_factor")
        return upsample(x, factor, **options)


class _DeconvLayer(nn.Module):
    features: int
    entry: "DeconvModule"
    norm_cfg: Norm | None
    act_cfg: Act | None

    @nn.compact
    def __call__(self, x, train: bool):
        factor = self.entry.scale_factor
        margin = self.entry.kernel_size - factor
        x = ConvTranspose2d(
            self.features,
            self.entry.kernel_size,
            factor,
            margin // 2,
            name="deconv_upsamping.0",
        )(x)
        x = self.norm_cfg(name="deconv_upsamping.1")(x, train)
        return self.act_cfg(name="deconv_upsamping.2")(x)


# Entries of `upsample_cfg`.


class Upsampling:
    """The role of UNet's `upsample_cfg`.

    Attributes:
        layer: the module that a decoder stage makes of it.
        takes_padding, takes_bands: as of a `Backbone`.
    """

    layer: ClassVar[type[nn.Module]]

    takes_padding = False
    takes_bands = False


@dataclasses.dataclass(frozen=True)
class InterpConv(Upsampling):
    """Resize by a factor, then a convolution (or first, with `conv_first`).

    Attributes:
        conv_first: convolve before resizing.
        kernel_size, stride, padding: the size, stride and padding of the convolution,
            in pixels.
        upsample_cfg: dict(scale_factor=, mode=, align_corners=).
    """

    conv_first: bool = False
    kernel_size: int = 1
    stride: int = 1
    padding: int = 0
    upsample_cfg: Mapping[str, Any] = (
        ("scale_factor", 2),
        ("mode", "bilinear"),
        ("align_corners", False),
    )

    layer = _InterpConvLayer

    takes_padding = True
    takes_bands = True


@dataclasses.dataclass(frozen=True)
class DeconvModule(Upsampling):
    """A transposed convolution, norm and activation.

    Attributes:
        kernel_size: in pixels; `kernel_size - scale_factor` is even and not negative.
        scale_factor: how many times larger the result is.
    """

    kernel_size: int = 4
    scale_factor: int = 2

    layer = _DeconvLayer

    takes_padding = True
    takes_bands = True

    def __post_init__(self):
        margin = self.kernel_size - self.scale_factor
        if margin < 0 or margin % 2:
            raise FieldError(
                f"kernel_size {self.kernel_size} minus scale_factor "
                f"{self.scale_factor} must be even and not negative"
            )


class _UpConvBlock(nn.Module):
    """Upsamples x, joins it to the skip connection, convolves both."""

    features: int
    num_convs: int
    dilation: int
    upsample_cfg: Upsampling | None  # None: a 1x1 convolution without upsampling
    norm_cfg: Norm | None
    act_cfg: Act | None

    @nn.compact
    def __call__(self, inputs, train: bool):
        skip, x = inputs
        flavours = {"norm_cfg": self.norm_cfg, "act_cfg": self.act_cfg}
        if self.upsample_cfg is None:
            upsample = ConvModule(self.features, 1, **flavours, name="upsample")
        else:
            upsample = self.upsample_cfg.layer(
                self.features, self.upsample_cfg, **flavours, name="upsample"
            )
        x = jnp.concatenate([skip, upsample(x, train)], axis=-1)
        return _BasicConvBlock(
            self.features,
            self.num_convs,
            1,
            self.dilation,
            **flavours,
            name="conv_block",
        )(x, train)


class UNet(Backbone):
    """The encoder and decoder; returns the bottom and then every decoder stage.

    Attributes:
        base_channels: channels of the first stage; each stage doubles them.
        num_stages: number of encoder stages.
        strides: stride of each encoder stage's first convolution.
        enc_num_convs: convolutions of each encoder stage.
        dec_num_convs: convolutions of each decoder stage (one stage fewer).
        downsamples: whether a 2x2 max-pooling stands before stage i + 1 (where its
            stride is 1).
        enc_dilations, dec_dilations: the dilations of each stage's convolutions after
            the first.
        with_cp: compute a block's activations again in the backward pass.
        norm_cfg, act_cfg, upsample_cfg: flavours of the layers.
        norm_eval: norms use and keep their running statistics in training.
    """

    base_channels: int = 64
    num_stages: int = 5
    strides: tuple[int, ...] = (1, 1, 1, 1, 1)
    enc_num_convs: tuple[int, ...] = (2, 2, 2, 2, 2)
    dec_num_convs: tuple[int, ...] = (2, 2, 2, 2)
    downsamples: tuple[bool, ...] = (True, True, True, True)
    enc_dilations: tuple[int, ...] = (1, 1, 1, 1, 1)
    dec_dilations: tuple[int, ...] = (1, 1, 1, 1)
    with_cp: bool = False
    norm_cfg: Norm | None = BN()
    act_cfg: Act | None = ReLU()
    upsample_cfg: Upsampling = InterpConv()
    norm_eval: bool = False

    takes_padding = True
    takes_bands = True

    def __post_init__(self):
        for name, length in (
            ("strides", self.num_stages),
            ("enc_num_convs", self.num_stages),
            ("dec_num_convs", self.num_stages - 1),
            ("downsamples", self.num_stages - 1),
            ("enc_dilations", self.num_stages),
            ("dec_dilations", self.num_stages - 1),
        ):
            if len(getattr(self, name)) != length:
                raise FieldError(
                    f"{name} is {getattr(self, name)}, which needs {length} entries "
                    f"for num_stages={self.num_stages}"
                )
        super().__post_init__()

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, in_channels) -> tuple of (N, h, w, C), from small to large."""
        self.check_size(x.shape[1:3])
        train = train and not self.norm_eval
        flavours = {"norm_cfg": self.norm_cfg, "act_cfg": self.act_cfg}
        skips = []
        for i in range(self.num_stages):
            item = 0
            if i and self.strides[i] == 1 and self.downsamples[i - 1]:
                x, item = max_pool(x, 2, 2), 1
            x = remat_if(_BasicConvBlock, self.with_cp)(
                self.base_channels * 2**i,
                self.enc_num_convs[i],
                self.strides[i],
                self.enc_dilations[i],
                **flavours,
                name=f"encoder.{i}.{item}",
            )(x, train)
            skips.append(x)
        outs = [x]
        for i in reversed(range(self.num_stages - 1)):
            smaller = self.strides[i + 1] != 1 or self.downsamples[i]
            x = remat_if(_UpConvBlock, self.with_cp)(
                self.base_channels * 2**i,
                self.dec_num_convs[i],
                self.dec_dilations[i],
                self.upsample_cfg if smaller else None,
                **flavours,
                name=f"decoder.{i}",
            )((skips[i], x), train)
            outs.append(x)
        return tuple(outs)

    def check_size(self, size: tuple[int, int]) -> None:
        """Raises ModelSizeError for sides that its halvings do not divide."""
        rate = 1
        for stride, pooled in zip(self.strides[1:], self.downsamples, strict=True):
            rate *= 2 if stride == 2 or pooled else 1
        first = self.strides[0]
        if any(-(-side // first) % rate for side in size):
            raise ModelSizeError(
                f"the image is {size[0]} x {size[1]} (H x W); UNet with "
                f"strides={self.strides} and downsamples={self.downsamples} takes "
                f"sizes that {first * rate} divides: choose the crop or test scale so, "
                "or put dict(type='ResizeToMultiple', size_divisor="
                f"{first * rate}) behind what resizes in the pipeline of val_dataloader"
            )

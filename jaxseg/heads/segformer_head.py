"""SegFormer's head, of 1x1 convolutions alone: https://arxiv.org/abs/2105.15203."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from jaxseg.heads.decode_head import BaseDecodeHead
from jaxseg.layers.activation import ReLU
from jaxseg.layers.conv import ConvModule, kaiming_normal
from jaxseg.layers.norm import Norm
from jaxseg.ops.conv import conv2d
from jaxseg.ops.narrow import spread, wide
from jaxseg.ops.resize import resize


class _ConvOfJoined(nn.Module):
    """A 1x1 convolution of maps that are resized to the first one's size and joined.

    Each map is multiplied with its part of the kernel at its own size and resized then,
    which gives the same: of SegFormer-B0 that is a third of all products, and the joined
    map is never made.
    """

    features: int
    bias: bool
    mode: str
    align_corners: bool

    @nn.compact
    def __call__(self, maps):
        widths = [x.shape[-1] for x in maps]
        shape = (1, 1, sum(widths), self.features)
        kernel = self.param("kernel", kaiming_normal, shape)
        parts = jnp.split(kernel, np.cumsum(widths)[:-1], axis=2)
        size, total = maps[0].shape[1:3], 0.0
        for x, part in zip(maps, parts, strict=True):
            y = conv2d(x, part.astype(x.dtype))
            y = resize(y, size, mode=self.mode, align_corners=self.align_corners)
            total += wide(y)
        y = total.astype(maps[0].dtype)
        if self.bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,))
            y = y + spread(bias, y)
        return y


class _FusionConv(nn.Module):
    """A ConvModule of joined maps."""

    features: int
    norm_cfg: Norm | None
    mode: str
    align_corners: bool

    @nn.compact
    def __call__(self, maps, train: bool):
        bias = self.norm_cfg is None
        x = _ConvOfJoined(
            self.features, bias, self.mode, self.align_corners, name="conv"
        )(maps)
        if self.norm_cfg is not None:
            x = self.norm_cfg(name=self.norm_cfg.abbr)(x, train)
        return ReLU()(name="activate")(x)  # whatever the head's act_cfg, as in mmseg


class SegformerHead(BaseDecodeHead, kw_only=True):
    """Every map in `channels` channels, resized to the first one's size and joined.

    Attributes:
        interpolate_mode: `bilinear`, `bicubic` or `nearest`, of that resize.
        plain_projections: the maps are projected with a bias and without norm and
            activation, as in the authors' code and Hugging Face's.
    """

    input_transform: str = "multiple_select"
    interpolate_mode: str = "bilinear"
    plain_projections: bool = False

    takes_padding = True
    takes_bands = True

    @nn.compact
    def __call__(self, inputs, train: bool):
        maps = [
            self._projection(f"convs.{i}")(x, train)
            for i, x in enumerate(self.transform_inputs(inputs))
        ]
        x = _FusionConv(
            self.channels,
            self.norm_cfg,
            self.interpolate_mode,
            self.align_corners,
            name="fusion_conv",
        )(maps, train)
        return self.cls_seg(x, train)

    def _projection(self, name):
        if not self.plain_projections:
            return self.conv_module(self.channels, 1, name)
        return ConvModule(self.channels, 1, norm_cfg=None, act_cfg=None, name=name)

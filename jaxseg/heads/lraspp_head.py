"""Lite R-ASPP of MobileNetV3: https://arxiv.org/abs/1905.02244."""

import flax.linen as nn
import jax.numpy as jnp

from jaxseg.errors import FieldError, ModelSizeError
from jaxseg.heads.decode_head import BaseDecodeHead
from jaxseg.layers.activation import Sigmoid
from jaxseg.layers.conv import Conv2d, ConvModule, torch_start
from jaxseg.ops.pool import window_mean
from jaxseg.ops.resize import resize

_WINDOW, _STRIDE = 49, (16, 20)


class LRASPPHead(BaseDecodeHead, kw_only=True):
    """The last map weighed by its means over large windows, refined by finer maps.

    Attributes:
        branch_channels: channels that each of the finer maps is reduced to.
    """

    branch_channels: tuple[int, ...] = (32, 64)

    def __post_init__(self):
        if self.input_transform != "multiple_select":
            raise FieldError(
                f"input_transform is {self.input_transform!r}, allowed: multiple_select"
            )
        super().__post_init__()
        if len(self.branch_channels) != len(self.in_channels) - 1:
            raise FieldError(
                f"branch_channels is {self.branch_channels}, which needs one entry for "
                f"each of in_channels={self.in_channels} but the last"
            )

    @nn.compact
    def __call__(self, inputs, train: bool):
        *finer, x = self.transform_inputs(inputs)
        x = self._conv(x, "aspp_conv", train) * self._means(x, train)
        x = Conv2d(self.channels, name="conv_up_input", **torch_start(self.channels))(x)
        for i in reversed(range(len(finer))):
            fine = Conv2d(
                self.branch_channels[i],
                name=f"convs.conv{i}",
                bias=False,
                kernel_init=torch_start(finer[i].shape[-1])["kernel_init"],
            )(finer[i])
            x = resize(x, fine.shape[1:3], align_corners=self.align_corners)
            x = jnp.concatenate([x, fine], axis=-1)
            x = self._conv(x, f"conv_ups.conv_up{i}", train)
        return self.cls_seg(x, train)

    def _conv(self, x, name, train):
        return ConvModule(
            self.channels,
            1,
            norm_cfg=self.norm_cfg,
            act_cfg=self.act_cfg,
            bias=False,
            name=name,
        )(x, train)

    def _means(self, x, train):
        size = x.shape[1:3]
        if min(size) < _WINDOW:
            raise ModelSizeError(
                f"{self.config_path}: the last feature map is {size[0]} x {size[1]} "
                f"(H x W), and LRASPPHead takes means over windows of {_WINDOW} x "
                f"{_WINDOW}: larger images are needed"
            )
        # Item 1: item 0 is the pooling.
        means = ConvModule(
            self.channels, 1, act_cfg=Sigmoid(), bias=False, name="image_pool.1"
        )(window_mean(x, _WINDOW, _STRIDE, 0), train)
        return resize(means, size, align_corners=self.align_corners)

"""DMNet, Dynamic Multi-Scale Filters for Semantic Segmentation (ICCV 2019).

https://openaccess.thecvf.com/content_ICCV_2019/papers/He_Dynamic_Multi-Scale_Filters_for_Semantic_Segmentation_ICCV_2019_paper.pdf
"""

import flax.linen as nn
import jax.numpy as jnp

from jaxseg.heads.decode_head import BaseDecodeHead
from jaxseg.layers.activation import Act
from jaxseg.layers.conv import Conv2d, ConvModule, torch_start
from jaxseg.layers.norm import Norm
from jaxseg.ops.dynamic_conv import dynamic_depthwise_conv2d
from jaxseg.ops.pool import adaptive_avg_pool


class _DCM(nn.Module):
    """Dynamic convolutional module: a depthwise convolution by kernels of the image.

    Attributes:
        filter_size: side of the kernels in pixels.
        fusion: convolve the result once more.
        channels: channels of the result.
    """

    filter_size: int
    fusion: bool
    channels: int
    norm_cfg: Norm | None
    act_cfg: Act | None

    @nn.compact
    def __call__(self, x, train: bool):
        flavours = {"norm_cfg": self.norm_cfg, "act_cfg": self.act_cfg}
        pooled = adaptive_avg_pool(x, (self.filter_size, self.filter_size))
        start = torch_start(x.shape[-1])
        kernels = Conv2d(self.channels, **start, name="filter_gen_conv")(pooled)
        y = ConvModule(self.channels, 1, **flavours, name="input_redu_conv")(x, train)
        y = dynamic_depthwise_conv2d(y, kernels)
        if self.norm_cfg is not None:
            y = self.norm_cfg(name="norm")(y, train)
        if self.act_cfg is not None:
            y = self.act_cfg(name="activate")(y)
        if self.fusion:
            y = ConvModule(self.channels, 1, **flavours, name="fusion_conv")(y, train)
        return y


class DMHead(BaseDecodeHead, kw_only=True):
    """Convolutions of several sizes whose kernels are made of the image.

    Attributes:
        filter_sizes: sides of the kernels in pixels, one a branch.
        fusion: convolve the result of each branch once more.
    """

    filter_sizes: tuple[int, ...] = (1, 3, 5, 7)
    fusion: bool = False

    takes_padding = True
    takes_bands = True

    @nn.compact
    def __call__(self, inputs, train: bool):
        x = self.transform_inputs(inputs)
        branches = [
            _DCM(
                size,
                self.fusion,
                self.channels,
                self.norm_cfg,
                self.act_cfg,
                name=f"dcm_modules.{i}",
            )(x, train)
            for i, size in enumerate(self.filter_sizes)
        ]
        x = jnp.concatenate([x, *branches], axis=-1)
        x = self.conv_module(self.channels, 3, "bottleneck")(x, train)
        return self.cls_seg(x, train)

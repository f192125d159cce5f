"""DeepLabV3: https://arxiv.org/abs/1706.05587."""

import flax.linen as nn
import jax.numpy as jnp

from jaxseg.heads.decode_head import BaseDecodeHead
from jaxseg.ops.pool import adaptive_avg_pool
from jaxseg.ops.resize import resize


class ASPPHead(BaseDecodeHead, kw_only=True):
    """Atrous spatial pyramid pooling: image pooling and dilated branches.

    Attributes:
        dilations: dilation of each branch; a branch of dilation 1 is a 1x1
            convolution.
        bottleneck_kernel_size: side of the convolution that joins the branches; mmseg's
            is 3.
    """

    dilations: tuple[int, ...] = (1, 6, 12, 18)
    bottleneck_kernel_size: int = 3

    takes_padding = True
    takes_bands = True

    @nn.compact
    def __call__(self, inputs, train: bool):
        x = self.aspp(self.transform_inputs(inputs), train)
        return self.cls_seg(x, train)

    def aspp(self, x, train: bool):
        """(N, h, w, in_channels) -> (N, h, w, channels)."""
        pooled = adaptive_avg_pool(x, (1, 1))
        # Item 1: item 0 is the pooling, which has no weights.
        pooled = self.conv_module(self.channels, 1, "image_pool.1")(pooled, train)
        outs = [resize(pooled, x.shape[1:3], align_corners=self.align_corners)]
        for i, dilation in enumerate(self.dilations):
            outs.append(self.branch(dilation, f"aspp_modules.{i}")(x, train))
        x = jnp.concatenate(outs, axis=-1)
        return self.conv_module(
            self.channels, self.bottleneck_kernel_size, "bottleneck"
        )(x, train)

    def branch(self, dilation: int, name: str) -> nn.Module:
        """The layer of one dilation."""
        side = 1 if dilation == 1 else 3
        return self.conv_module(self.channels, side, name, dilation)

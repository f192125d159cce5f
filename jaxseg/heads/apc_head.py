"""APCNet, Adaptive Pyramid Context Network for Semantic Segmentation (CVPR 2019).

https://openaccess.thecvf.com/content_CVPR_2019/papers/He_Adaptive_Pyramid_Context_Network_for_Semantic_Segmentation_CVPR_2019_paper.pdf
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.heads.decode_head import BaseDecodeHead
from jaxseg.layers.activation import Act
from jaxseg.layers.conv import Conv2d, ConvModule, torch_start
from jaxseg.layers.norm import Norm
from jaxseg.ops.context import global_mean
from jaxseg.ops.narrow import spread
from jaxseg.ops.pool import adaptive_avg_pool


class _ACM(nn.Module):
    """Adaptive context module: each pixel weighs the regions of a pooled map.

    Attributes:
        pool_scale: side of the pooled map.
        fusion: convolve the result once more.
        channels: channels of the result.
    """

    pool_scale: int
    fusion: bool
    channels: int
    norm_cfg: Norm | None
    act_cfg: Act | None

    @nn.compact
    def __call__(self, x, train: bool):
        pooled = adaptive_avg_pool(x, (self.pool_scale, self.pool_scale))
        x = self._conv("input_redu_conv", x, train)
        pooled = self._conv("pooled_redu_conv", pooled, train)
        whole = self._conv("global_info", global_mean(x), train)
        start = torch_start(self.channels)
        affinity = Conv2d(self.pool_scale**2, **start, name="gla")(x + spread(whole, x))
        regions = pooled.reshape(len(x), -1, self.channels)
        y = jnp.einsum("nhwk,nkc->nhwc", jax.nn.sigmoid(affinity), regions)
        y = nn.relu(self._conv("residual_conv", y, train) + x)
        return self._conv("fusion_conv", y, train) if self.fusion else y

    def _conv(self, name, x, train):
        flavours = {"norm_cfg": self.norm_cfg, "act_cfg": self.act_cfg}
        return ConvModule(self.channels, 1, **flavours, name=name)(x, train)


class APCHead(BaseDecodeHead, kw_only=True):
    """Context of regions at several scales, weighed by each pixel.

    Attributes:
        pool_scales: sides of the pooled maps, one a branch.
        fusion: convolve the result of each branch once more.
    """

    pool_scales: tuple[int, ...] = (1, 2, 3, 6)
    fusion: bool = True

    takes_padding = True
    takes_bands = True

    @nn.compact
    def __call__(self, inputs, train: bool):
        x = self.transform_inputs(inputs)
        branches = [
            _ACM(
                scale,
                self.fusion,
                self.channels,
                self.norm_cfg,
                self.act_cfg,
                name=f"acm_modules.{i}",
            )(x, train)
            for i, scale in enumerate(self.pool_scales)
        ]
        x = jnp.concatenate([x, *branches], axis=-1)
        x = self.conv_module(self.channels, 3, "bottleneck")(x, train)
        return self.cls_seg(x, train)

"""Pooling pyramid, shared by PSPNet and UPerNet."""

import flax.linen as nn

from jaxseg.layers.activation import Act
from jaxseg.layers.conv import ConvModule
from jaxseg.layers.norm import Norm
from jaxseg.ops.pool import adaptive_avg_pool
from jaxseg.ops.resize import resize


class PPM(nn.Module):
    """Pools to each scale, reduces the channels, resizes back.

    Pyramid Scene Parsing Network, https://arxiv.org/abs/1612.01105

    Attributes:
        pool_scales: sides of the pooled maps.
        channels: channels of each branch.
        resizes_first: whether a pooled map is resized before its convolution.
    """

    pool_scales: tuple[int, ...]
    channels: int
    norm_cfg: Norm | None
    act_cfg: Act | None
    align_corners: bool
    resizes_first: bool = False

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> list of (N, H, W, channels), one a scale."""
        outs = []
        for i, scale in enumerate(self.pool_scales):
            pooled = adaptive_avg_pool(x, (scale, scale))
            if self.resizes_first:
                pooled = self._resize(pooled, x)
            # Item 1 of the branch: item 0 is the pooling, which has no weights.
            pooled = ConvModule(
                self.channels,
                1,
                norm_cfg=self.norm_cfg,
                act_cfg=self.act_cfg,
                name=f"{i}.1",
            )(pooled, train)
            outs.append(pooled if self.resizes_first else self._resize(pooled, x))
        return outs

    def _resize(self, pooled, x):
        return resize(pooled, x.shape[1:3], align_corners=self.align_corners)

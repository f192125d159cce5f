"""Criss-cross attention: each pixel sees those of its row and its column."""

import flax.linen as nn

from jaxseg.layers.conv import Conv2d, torch_start
from jaxseg.layers.scale import Scale
from jaxseg.ops.criss_cross import criss_cross_attention


class CrissCrossAttention(nn.Module):
    """mmcv's CrissCrossAttention. https://arxiv.org/abs/1811.11721"""

    @nn.compact
    def __call__(self, x):
        """(N, H, W, C) -> the same shape."""
        channels = x.shape[-1]
        start = torch_start(channels)
        widths = {"query": channels // 8, "key": channels // 8, "value": channels}
        q, k, v = (
            Conv2d(width, **start, name=f"{name}_conv")(x)
            for name, width in widths.items()
        )
        return x + Scale(name="gamma")(criss_cross_attention(q, k, v))

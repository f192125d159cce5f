"""Deep aggregation of pooled context at small resolution: DAPPM and PAPPM."""

import flax.linen as nn
import jax.numpy as jnp

from jaxseg.layers.activation import Act, ReLU
from jaxseg.layers.conv import ConvModule
from jaxseg.layers.norm import BN, Norm
from jaxseg.ops.context import global_mean
from jaxseg.ops.pool import window_mean
from jaxseg.ops.resize import resize

# (window, stride) in pixels of the pooled scales between the map itself and its mean.
_WINDOWS = ((5, 2), (9, 4), (17, 8))


class DAPPM(nn.Module):
    """DDRNet's pyramid: each scale is added to the finer one and convolved.

    https://arxiv.org/abs/2101.06085

    Attributes:
        branch_channels: channels of each scale.
        out_channels: channels of the result.
        norm_cfg, act_cfg: flavours, applied before each convolution.
    """

    branch_channels: int
    out_channels: int
    norm_cfg: Norm = BN()
    act_cfg: Act = ReLU()

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> (N, H, W, out_channels)."""
        scales = self._scales(x, train)
        y = self._conv(self.out_channels, 1, "compression")(
            jnp.concatenate(self._aggregate(scales, train), -1), train
        )
        return y + self._conv(self.out_channels, 1, "shortcut")(x, train)

    def _scales(self, x, train):
        """The map at each scale, all of x's size."""
        pooled = [window_mean(x, side, stride, side // 2) for side, stride in _WINDOWS]
        pooled.append(global_mean(x))
        scales = [self._conv(self.branch_channels, 1, "scales.0")(x, train)]
        for i, small in enumerate(pooled, start=1):
            # Item 1 of the scale: item 0 is the pooling, which has no weights.
            y = self._conv(self.branch_channels, 1, f"scales.{i}.1")(small, train)
            scales.append(resize(y, x.shape[1:3]))
        return scales

    def _aggregate(self, scales, train):
        maps = scales[:1]
        for i, scale in enumerate(scales[1:]):
            conv = self._conv(self.branch_channels, 3, f"processes.{i}")
            maps.append(conv(scale + maps[-1], train))
        return maps

    def _conv(self, features, side, name, groups=1):
        return ConvModule(
            features,
            side,
            padding=side // 2,
            groups=groups,
            norm_cfg=self.norm_cfg,
            act_cfg=self.act_cfg,
            order=("norm", "act", "conv"),
            bias=False,
            name=name,
        )


class PAPPM(DAPPM):
    """PIDNet's pyramid: all scales are convolved at once, in groups.

    https://arxiv.org/abs/2206.02066
    """

    def _aggregate(self, scales, train):
        first, *others = scales
        groups = len(others)
        joined = jnp.concatenate([scale + first for scale in others], -1)
        conv = self._conv(self.branch_channels * groups, 3, "processes", groups)
        return [first, conv(joined, train)]

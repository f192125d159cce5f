"""Multi-level aggregation, SETR-MLA's neck: https://arxiv.org/abs/2012.15840."""

import itertools

import flax.linen as nn

from jaxseg.layers.activation import Act
from jaxseg.layers.conv import ConvModule
from jaxseg.layers.norm import LN, Norm
from jaxseg.necks.neck import Neck


class MLANeck(Neck):
    """Adds each level, reduced to a few channels, to all deeper ones.

    Attributes:
        in_channels: channels of each level; all levels have one size.
        out_channels: channels of each output.
        norm_layer: the norm of each level.
        norm_cfg, act_cfg: flavours of the convolutions.
    """

    in_channels: tuple[int, ...]
    out_channels: int
    norm_layer: LN = LN(eps=1e-6)
    norm_cfg: Norm | None = None
    act_cfg: Act | None = None

    takes_padding = True
    takes_bands = True

    @nn.compact
    def __call__(self, inputs, train: bool):
        """The levels -> the sums, that of the last level alone first."""
        self._check_channels(inputs)
        levels = [
            self._conv(f"mla.channel_proj.{i}", 1)(
                self.norm_layer(name=f"norm.{i}")(x, train), train
            )
            for i, x in enumerate(inputs)
        ]
        return tuple(
            self._conv(f"mla.feat_extract.{i}", 3)(x, train)
            for i, x in enumerate(itertools.accumulate(reversed(levels)))
        )

    def _conv(self, name, side):
        return ConvModule(
            self.out_channels,
            side,
            padding=side // 2,
            norm_cfg=self.norm_cfg,
            act_cfg=self.act_cfg,
            name=name,
        )

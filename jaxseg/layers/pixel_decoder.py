"""Pixel decoders of mask classification: entries of `pixel_decoder`."""

import dataclasses
from collections.abc import Sequence

import flax.linen as nn
import jax

from jaxseg.layers.activation import Act, ReLU
from jaxseg.layers.conv import Conv2d, ConvModule, caffe2_xavier, kaiming_normal
from jaxseg.layers.norm import GN, Norm
from jaxseg.ops.resize import resize


@dataclasses.dataclass(frozen=True)
class PixelDecoder:
    """MaskFormer's: a feature pyramid, of which the finest level is used.

    https://arxiv.org/abs/2107.06278, mmdet's PixelDecoder

    Attributes:
        norm_cfg, act_cfg: flavours of the layers.
    """

    norm_cfg: Norm | None = GN(num_groups=32)
    act_cfg: Act | None = ReLU()

    aliases = ("mmdet.PixelDecoder",)

    def __call__(self, feat_channels: int, out_channels: int, name: str) -> nn.Module:
        """The module; `feat_channels` are those of the levels."""
        return _PixelDecoder(self, feat_channels, out_channels, name=name)


class _PixelDecoder(nn.Module):
    cfg: PixelDecoder
    feat_channels: int
    out_channels: int

    @nn.compact
    def __call__(
        self, inputs: Sequence[jax.Array], train: bool
    ) -> tuple[jax.Array, jax.Array]:
        """Decodes.

        Args:
            inputs: maps (N, h, w, c), the finest first.
            train: whether batch norms take their statistics from the batch.

        Returns:
            The mask features (N, h, w, out_channels) at the size of the first map, and
            the memory that queries look at, which is the last map.
        """
        act, last = self.cfg.act_cfg, len(inputs) - 2
        # mmdet means to start these by Xavier's rule, too, but asks a ConvModule for a
        # weight, which has none, and leaves the last pair out: both keep ConvModule's.
        y = self._conv(3, act, "last_feat_conv", kaiming_normal)(inputs[-1], train)
        for i in range(last, -1, -1):
            init = kaiming_normal if i == last else caffe2_xavier
            x = self._conv(1, None, f"lateral_convs.{i}", init)(inputs[i], train)
            y = x + resize(y, x.shape[1:3], mode="nearest")
            y = self._conv(3, act, f"output_convs.{i}", init)(y, train)
        features = Conv2d(
            self.out_channels,
            3,
            padding=1,
            kernel_init=caffe2_xavier,
            name="mask_feature",
        )(y)
        return features, inputs[-1]

    def _conv(self, side, act_cfg, name, init):
        return ConvModule(
            self.feat_channels,
            side,
            padding=side // 2,
            norm_cfg=self.cfg.norm_cfg,
            act_cfg=act_cfg,
            kernel_init=init,
            name=name,
        )

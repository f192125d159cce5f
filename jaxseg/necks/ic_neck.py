"""ICNet's neck, cascade feature fusion: https://arxiv.org/abs/1704.08545."""

import flax.linen as nn
import jax

from jaxseg.layers.activation import Act, ReLU
from jaxseg.layers.conv import ConvModule
from jaxseg.layers.norm import BN, Norm
from jaxseg.necks.neck import Neck
from jaxseg.ops.resize import resize


class _CascadeFeatureFusion(nn.Module):
    """The sum of a coarse map, resized, and a fine one, each behind a convolution."""

    out_channels: int
    norm_cfg: Norm | None
    act_cfg: Act | None
    align_corners: bool

    @nn.compact
    def __call__(self, low, high, train: bool):
        """(N, h, w, c), (N, H, W, C) -> the sum and the coarse map, (N, H, W, out)."""
        flavours = {"norm_cfg": self.norm_cfg, "act_cfg": self.act_cfg}
        low = resize(low, high.shape[1:3], align_corners=self.align_corners)
        low = ConvModule(
            self.out_channels, 3, padding=2, dilation=2, **flavours, name="conv_low"
        )(low, train)
        conv = ConvModule(self.out_channels, 1, **flavours, name="conv_high")
        return jax.nn.relu(low + conv(high, train)), low


class ICNeck(Neck):
    """Adds the coarsest map to the middle one, and their sum to the finest.

    Attributes:
        in_channels: channels of the three maps, the finest first.
        out_channels: channels of each output.
        norm_cfg, act_cfg: flavours of the layers.
        align_corners: `align_corners` of the resizes.
    """

    in_channels: tuple[int, int, int] = (64, 256, 256)
    out_channels: int = 128
    norm_cfg: Norm | None = BN()
    act_cfg: Act | None = ReLU()
    align_corners: bool = False

    takes_padding = True
    takes_bands = True

    @nn.compact
    def __call__(self, inputs, train: bool):
        """Three maps -> the coarse parts of both sums, for losses, and the last sum."""
        self._check_channels(inputs)
        fine, middle, coarse = inputs
        x, middle_low = self._fuse("cff_24", coarse, middle, train)
        x, fine_low = self._fuse("cff_12", x, fine, train)
        return middle_low, fine_low, x

    def _fuse(self, name, low, high, train):
        return _CascadeFeatureFusion(
            self.out_channels,
            self.norm_cfg,
            self.act_cfg,
            self.align_corners,
            name=name,
        )(low, high, train)

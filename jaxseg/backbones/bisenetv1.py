"""BiSeNet: https://arxiv.org/abs/1808.00897."""

from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.backbones.backbone import Backbone
from jaxseg.config import ConfigError
from jaxseg.errors import FieldError
from jaxseg.layers.activation import Act, ReLU
from jaxseg.layers.attention_refinement import AttentionRefinementModule
from jaxseg.layers.conv import ConvModule
from jaxseg.layers.norm import BN, Norm
from jaxseg.ops.context import global_mean
from jaxseg.ops.narrow import spread
from jaxseg.ops.resize import resize


def _conv(features, side, name, stride=1):
    return ConvModule(
        features,
        side,
        stride,
        side // 2,
        norm_cfg=BN(),
        act_cfg=ReLU(),
        name=name,
    )


class _FeatureFusionModule(nn.Module):
    """Joins two maps, and adds to their sum what a layer selects of it."""

    features: int

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C), the maps one behind the other -> (N, H, W, features)."""
        x = _conv(self.features, 1, "conv1")(x, train)
        scales = _conv(self.features, 1, "conv_atten.0")(global_mean(x), train)
        return x + x * spread(jax.nn.sigmoid(scales), x)


class BiSeNetV1(Backbone, kw_only=True):
    """A spatial path to 1/8, and a context path from a backbone's 1/32 back to 1/8.

    Attributes:
        backbone_cfg: the backbone of the context path, whose four maps are at 1/4 to
            1/32.
        spatial_channels: channels of the spatial path's layers, the first three of
            which halve the map.
        context_channels: channels of the context path, and of the backbone's last two
            maps.
        out_channels: channels of the two paths' fusion.
        out_indices: which are returned of the fusion, at 1/8, and the context path at
            1/8 and at 1/16.
        align_corners: not used, as in mmseg, which resizes to the nearest pixel.
        norm_cfg, act_cfg: not used, as in mmseg: all layers but those of the backbone
            have plain batch norm and ReLU.
    """

    backbone_cfg: Backbone
    spatial_channels: tuple[int, int, int, int] = (64, 64, 64, 128)
    context_channels: tuple[int, int, int] = (128, 256, 512)
    out_channels: int = 256
    out_indices: tuple[int, ...] = (0, 1, 2)
    align_corners: bool = False
    norm_cfg: Norm = BN()
    act_cfg: Act = ReLU()

    takes_padding = True
    takes_bands = True
    child_keys: ClassVar = {"backbone_cfg": "context_path.backbone"}

    def __post_init__(self):
        if self.backbone_cfg.in_channels != self.in_channels:
            raise FieldError(
                f"backbone_cfg: in_channels is {self.backbone_cfg.in_channels}, "
                f"allowed: the in_channels of BiSeNetV1, {self.in_channels}"
            )
        joined = self.spatial_channels[-1] + self.context_channels[0]
        if joined != self.context_channels[1]:
            raise FieldError(
                f"context_channels is {self.context_channels}, whose second entry must "
                f"be the sum of the first and the last of spatial_channels, {joined}"
            )
        if not all(0 <= index <= 2 for index in self.out_indices):
            raise FieldError(f"out_indices is {self.out_indices}, allowed: 0 to 2")
        super().__post_init__()

    def check_size(self, size: tuple[int, int]) -> None:
        """Raises ModelSizeError for images that the context path does not take."""
        self.backbone_cfg.check_size(size)

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> the maps of out_indices, (N, h, w, channels) each."""
        eighth, sixteenth = self._context(x, train)
        spatial = x
        for layer, channels in enumerate(self.spatial_channels, 1):
            side, stride = {1: (7, 2), 4: (1, 1)}.get(layer, (3, 2))
            name = f"spatial_path.layer{layer}"
            spatial = _conv(channels, side, name, stride)(spatial, train)
        joined = jnp.concatenate([spatial, eighth], axis=-1)
        fused = _FeatureFusionModule(self.out_channels, name="ffm")(joined, train)
        outs = (fused, eighth, sixteenth)
        return tuple(outs[i] for i in self.out_indices)

    def _context(self, x, train):
        """The context path at 1/8 and at 1/16."""
        maps = self.backbone_cfg(x, train)
        found = tuple(y.shape[-1] for y in maps)
        if len(found) != 4 or found[2:] != self.context_channels[1:]:
            raise ConfigError(
                f"{self.config_path}.context_channels is {self.context_channels}, and "
                f"backbone_cfg gives maps of {found} channels: it takes four, and the "
                "channels of the last two are the last two entries"
            )
        channels, (_, x_8, x_16, x_32) = self.context_channels[0], maps
        # Item 1: item 0 is the pooling, which has no weights.
        pooled = _conv(channels, 1, "context_path.gap_conv.1")(global_mean(x_32), train)
        y = self._refine(32, x_32, pooled, x_16, train)
        return self._refine(16, x_16, y, x_8, train), y

    def _refine(self, rate, x, coarser, finer, train):
        """The path at a rate, added to that of the next coarser, at the finer's size."""
        channels = self.context_channels[0]
        arm = AttentionRefinementModule(channels, name=f"context_path.arm{rate}")
        y = arm(x, train)
        y = resize(y + spread(coarser, y), finer.shape[1:3], mode="nearest")
        return _conv(channels, 3, f"context_path.conv_head{rate}")(y, train)

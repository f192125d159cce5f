"""Fast-SCNN: https://arxiv.org/abs/1902.04502."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.backbones.backbone import Backbone, chosen_maps
from jaxseg.errors import FieldError
from jaxseg.layers.activation import Act, ReLU
from jaxseg.layers.conv import ConvModule, DepthwiseSeparableConvModule
from jaxseg.layers.inverted_residual import InvertedResidual
from jaxseg.layers.norm import BN, Norm
from jaxseg.layers.ppm import PPM
from jaxseg.ops.resize import resize

_BLOCKS = 3  # of each of the three rows of inverted residuals


class FastSCNN(Backbone):
    """A stem to 1/8, a deep branch to 1/32 behind it, and the sum of both.

    Attributes:
        downsample_dw_channels: channels of the stem's first two convolutions.
        global_in_channels: channels of the stem's last one.
        global_block_channels, global_block_strides: channels and strides of the deep
            branch's three rows of inverted residuals.
        global_out_channels: channels of the deep branch.
        higher_in_channels, lower_in_channels: mmseg's other names of
            `global_in_channels` and `global_out_channels`, which they must equal.
        fusion_out_channels: channels of the sum.
        out_indices: which are returned of the stem's map, the deep one and the sum.
        norm_cfg, act_cfg: flavours of the layers.
        align_corners: `align_corners` of the resizes.
        dw_act_cfg: activation of the stem's depthwise convolutions.
    """

    downsample_dw_channels: tuple[int, int] = (32, 48)
    global_in_channels: int = 64
    global_block_channels: tuple[int, int, int] = (64, 96, 128)
    global_block_strides: tuple[int, int, int] = (2, 2, 1)
    global_out_channels: int = 128
    higher_in_channels: int = 64
    lower_in_channels: int = 128
    fusion_out_channels: int = 128
    out_indices: tuple[int, ...] = (0, 1, 2)
    norm_cfg: Norm = BN()
    act_cfg: Act = ReLU()
    align_corners: bool = False
    dw_act_cfg: Act | None = None

    takes_padding = True
    takes_bands = True

    def __post_init__(self):
        for name, other in (
            ("higher_in_channels", "global_in_channels"),
            ("lower_in_channels", "global_out_channels"),
        ):
            if getattr(self, name) != getattr(self, other):
                raise FieldError(
                    f"{name} is {getattr(self, name)}, allowed: {other}, "
                    f"{getattr(self, other)}"
                )
        chosen_maps(self.out_indices, 3)
        super().__post_init__()

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> the maps of out_indices, at 1/8, 1/32 and 1/8."""
        high = self._stem(x, train)
        low = self._deep(high, train)
        outs = (high, low, self._fuse(high, low, train))
        return tuple(outs[i] for i in self.out_indices)

    def _stem(self, x, train):
        first, second = self.downsample_dw_channels
        x = self._conv("learning_to_downsample.conv", x, first, 3, train, stride=2)
        for k, channels in enumerate((second, self.global_in_channels), 1):
            x = DepthwiseSeparableConvModule(
                channels,
                3,
                2,
                1,
                norm_cfg=self.norm_cfg,
                act_cfg=ReLU(),
                dw_act_cfg=self.dw_act_cfg,
                name=f"learning_to_downsample.dsconv{k}",
            )(x, train)
        return x

    def _deep(self, x, train):
        flavours = {"norm_cfg": self.norm_cfg, "act_cfg": self.act_cfg}
        name = "global_feature_extractor"
        rows = zip(self.global_block_channels, self.global_block_strides, strict=True)
        for row, (channels, stride) in enumerate(rows, 1):
            for k in range(_BLOCKS):
                x = InvertedResidual(
                    channels,
                    stride if k == 0 else 1,
                    **flavours,
                    name=f"{name}.bottleneck{row}.{k}",
                )(x, train)
        pyramid = PPM(
            (1, 2, 3, 6),
            x.shape[-1] // 4,
            **flavours,
            align_corners=self.align_corners,
            name=f"{name}.ppm",
        )
        x = jnp.concatenate([x, *pyramid(x, train)], axis=-1)
        return self._conv(f"{name}.out", x, self.global_out_channels, 3, train)

    def _fuse(self, high, low, train):
        name, channels = "feature_fusion", self.fusion_out_channels
        low = resize(low, high.shape[1:3], align_corners=self.align_corners)
        low = self._conv(f"{name}.dwconv", low, channels, 3, train, groups=channels)
        low = self._conv(f"{name}.conv_lower_res", low, channels, 1, train, act=None)
        high = self._conv(f"{name}.conv_higher_res", high, channels, 1, train, act=None)
        return jax.nn.relu(high + low)

    def _conv(self, name, x, channels, side, train, stride=1, groups=1, act="own"):
        return ConvModule(
            channels,
            side,
            stride,
            side // 2,
            groups=groups,
            norm_cfg=self.norm_cfg,
            act_cfg=self.act_cfg if act == "own" else act,
            name=name,
        )(x, train)

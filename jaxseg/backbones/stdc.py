"""STDC, Short-Term Dense Concatenate: https://arxiv.org/abs/2104.13188."""

import dataclasses
import itertools
import re
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
from jaxseg.ops.pool import window_mean
from jaxseg.ops.resize import resize
from jaxseg.weights.key_table import KeyTable


class _STDCModule(nn.Module):
    """Convolutions in a row, each with half the channels, whose results are joined.

    Attributes:
        features: channels of the result.
        stride: 1, or 2 of a depthwise convolution behind the first one.
        num_convs: number of convolutions, 2 at least.
        fusion_type: `cat`; or `add`: the input is added to what is joined.
        norm_cfg, act_cfg: flavours; as in mmseg the first convolution has a ReLU.
    """

    features: int
    stride: int
    num_convs: int
    fusion_type: str
    norm_cfg: Norm | None
    act_cfg: Act | None

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> (N, H / stride, W / stride, features)."""
        has_stride, adds = self.stride == 2, self.fusion_type == "add"
        first, down = (
            ("layers.0.0", "layers.0.1")
            if has_stride and adds
            else ("layers.0", "downsample")
        )
        y = self._conv(first, x, self.features // 2, 1, train, ReLU())
        joined = [window_mean(y, 3, 2, 1) if has_stride and not adds else y]
        if has_stride:
            y = self._depthwise(down, y, train)
            joined = [y] if adds else joined
        for i in range(1, self.num_convs):
            width = self.features // 2 ** min(i + 1, self.num_convs - 1)
            y = self._conv(f"layers.{i}", y, width, 3, train, self.act_cfg)
            joined.append(y)
        y = jnp.concatenate(joined, axis=-1)
        if adds and has_stride:
            x = self._depthwise("skip.0", x, train)
            x = self._conv("skip.1", x, self.features, 1, train, None)
        return y + x if adds else y

    def _conv(self, name, x, features, side, train, act_cfg):
        return ConvModule(
            features,
            side,
            padding=side // 2,
            norm_cfg=self.norm_cfg,
            act_cfg=act_cfg,
            name=name,
        )(x, train)

    def _depthwise(self, name, x, train):
        channels = x.shape[-1]
        return ConvModule(
            channels, 3, 2, 1, groups=channels, norm_cfg=self.norm_cfg, name=name
        )(x, train)


def _without_twins(weights, part):
    """mmseg has the depthwise convolution of `add` twice, under two names."""
    del part
    twin = re.compile(r"^(stages\.\d+\.\d+\.)downsample\.")
    names = {key: twin.sub(r"\1layers.0.1.", key) for key in weights}
    return {
        key: array
        for key, array in weights.items()
        if names[key] == key or names[key] not in weights
    }


def _with_twins(weights, part):
    del part
    own = re.compile(r"^(stages\.\d+\.\d+\.)layers\.0\.1\.")
    twins = {
        own.sub(r"\1downsample.", key): array
        for key, array in weights.items()
        if own.match(key)
    }
    return {**weights, **twins}


class STDCNet(Backbone, kw_only=True):
    """Two convolutions to 1/4 and three stages of STDC modules.

    Attributes:
        stdc_type: `STDCNet1` or `STDCNet2`, which has more modules.
        channels: channels of the two convolutions and of the three stages.
        bottleneck_type: how a module makes its result, `cat` or `add`.
        norm_cfg, act_cfg: flavours of the layers.
        num_convs: convolutions of a module.
        with_final_conv: put a 1x1 convolution behind the last stage.
    """

    stdc_type: str
    channels: tuple[int, int, int, int, int]
    bottleneck_type: str
    norm_cfg: Norm | None
    act_cfg: Act | None
    num_convs: int = 4
    with_final_conv: bool = False

    takes_padding = True
    takes_bands = True

    # Modules of each stage, the first of which has the stride.
    depths: ClassVar = {"STDCNet1": (2, 2, 2), "STDCNet2": (4, 5, 3)}

    def __post_init__(self):
        for name, allowed in (
            ("stdc_type", tuple(self.depths)),
            ("bottleneck_type", ("add", "cat")),
        ):
            value = getattr(self, name)
            if value not in allowed:
                raise FieldError(f"{name} is {value!r}, allowed: {', '.join(allowed)}")
        if self.num_convs < 2:
            raise FieldError(f"num_convs is {self.num_convs}, allowed: 2 or more")
        super().__post_init__()

    @property
    def key_table(self) -> KeyTable:
        """The names of the original repository, which numbers all modules through."""
        stages = [(2 + k, i) for k, n in enumerate(self.stage_depths) for i in range(n)]
        modules = [
            (rf"^features\.{number}\.", f"stages.{stage}.{place}.")
            for number, (stage, place) in enumerate(stages, start=2)
        ]
        return KeyTable(
            renames=(
                *modules,
                (r"^features\.", "stages."),
                (r"\.conv_list\.", ".layers."),
                (r"\.avd_layer\.0\.", ".downsample.conv."),
                (r"\.avd_layer\.1\.", ".downsample.bn."),
                (r"^conv_last\.", "final_conv."),
            ),
            unused=("final_conv.", "fc.", "bn.", "linear."),
            convert=_without_twins,
            convert_back=_with_twins,
        )

    @property
    def stage_depths(self) -> tuple[int, int, int]:
        """The number of modules of each stage."""
        return self.depths[self.stdc_type]

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> the three stages, at 1/8, 1/16 and 1/32."""
        for k in range(2):
            x = self._conv(f"stages.{k}", x, self.channels[k], 3, train, 2)
        outs = []
        for stage, count in enumerate(self.stage_depths, start=2):
            for i in range(count):
                x = _STDCModule(
                    self.channels[stage],
                    2 if i == 0 else 1,
                    self.num_convs,
                    self.bottleneck_type,
                    self.norm_cfg,
                    self.act_cfg,
                    name=f"stages.{stage}.{i}",
                )(x, train)
            outs.append(x)
        if self.with_final_conv:
            width = max(1024, self.channels[-1])
            outs[-1] = self._conv("final_conv", x, width, 1, train)
        return tuple(outs)

    def _conv(self, name, x, features, side, train, stride=1):
        return ConvModule(
            features,
            side,
            stride,
            side // 2,
            norm_cfg=self.norm_cfg,
            act_cfg=self.act_cfg,
            name=name,
        )(x, train)


@dataclasses.dataclass(frozen=True)
class FeatureFusion:
    """How STDC joins the detail map and the context.

    Attributes:
        in_channels: channels of both together.
        out_channels: channels of the result.
        scale_factor: the channels over those between the two layers of the attention.
        norm_cfg, act_cfg: flavours of the convolution; the first layer of the attention
            has the activation, too.
    """

    in_channels: int
    out_channels: int
    scale_factor: int = 4
    norm_cfg: Norm | None = BN()
    act_cfg: Act | None = ReLU()

    takes_padding = True
    takes_bands = True


class _FeatureFusionModule(nn.Module):
    """A 1x1 convolution whose channels are scaled by 1 and an attention to each."""

    fusion: FeatureFusion

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, in_channels) -> (N, H, W, out_channels)."""
        f = self.fusion
        x = ConvModule(
            f.out_channels, 1, norm_cfg=f.norm_cfg, act_cfg=f.act_cfg, name="conv0"
        )(x, train)
        # Items 1 and 2: item 0 is the pooling, which has no weights.
        width = f.out_channels // f.scale_factor
        y = ConvModule(width, 1, act_cfg=f.act_cfg, bias=False, name="attention.1")(
            global_mean(x), train
        )
        y = ConvModule(f.out_channels, 1, bias=False, name="attention.2")(y, train)
        return x * spread(jax.nn.sigmoid(y), x) + x


class STDCContextPathNet(Backbone, kw_only=True):
    """STDCNet with a context path from its last map back to 1/8.

    Attributes:
        backbone_cfg: the backbone, STDCNet, whose last three maps are used.
        last_in_channels: channels of its last and its last but one map.
        out_channels: channels of the context path.
        ffm_cfg: how the detail map, at 1/8, and the context are joined.
        upsample_mode, align_corners: `mode` and `align_corners` of the resizes.
        norm_cfg: norm of the convolutions behind the resizes; as in mmseg the
            attention refinement has plain batch norm.
        in_channels: channels of the images; None: those of backbone_cfg.
    """

    backbone_cfg: Backbone
    last_in_channels: tuple[int, int] = (1024, 512)
    out_channels: int = 128
    ffm_cfg: FeatureFusion = FeatureFusion(512, 256)
    upsample_mode: str = "nearest"
    align_corners: bool | None = None
    norm_cfg: Norm | None = BN()
    in_channels: int | None = None

    takes_padding = True
    takes_bands = True
    child_keys: ClassVar = {"backbone_cfg": "backbone"}

    def __post_init__(self):
        inner = self.backbone_cfg.in_channels
        if self.in_channels not in (None, inner):
            raise FieldError(
                f"in_channels is {self.in_channels}, allowed: that of backbone_cfg, "
                f"{inner}, which sees the images"
            )
        self.in_channels = inner
        super().__post_init__()

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> the detail map, the context at 1/16 and at 1/8, and the sum.

        The detail map and the sum, in which it is joined with the context, are at 1/8.
        The first three are for losses.
        """
        outs = self.backbone_cfg(x, train)
        self._check(outs)
        context = self._conv("conv_avg", global_mean(outs[-1]), 1, train)
        context = self._resize(context, outs[-1])
        path = []
        for i, (own, finer) in enumerate(itertools.pairwise(reversed(outs))):
            arm = AttentionRefinementModule(self.out_channels, name=f"arms.{i}")
            context = self._resize(arm(own, train) + context, finer)
            context = self._conv(f"convs.{i}", context, 3, train)
            path.append(context)
        fuse = _FeatureFusionModule(self.ffm_cfg, name="ffm")
        joined = jnp.concatenate([outs[0], context], axis=-1)
        return outs[0], *path, fuse(joined, train)

    def _check(self, outs):
        path, found = self.config_path, tuple(x.shape[-1] for x in outs)
        if len(found) != 3 or found[:0:-1] != self.last_in_channels:
            raise ConfigError(
                f"{path}.last_in_channels is {self.last_in_channels}, and backbone_cfg "
                f"gives maps of {found} channels: it takes three, and the channels of "
                "the last and of the last but one"
            )
        if self.ffm_cfg.in_channels != found[0] + self.out_channels:
            raise ConfigError(
                f"{path}.ffm_cfg.in_channels is {self.ffm_cfg.in_channels}, and the "
                f"maps that are joined have {found[0]} and {self.out_channels} channels"
            )

    def _resize(self, x, target):
        return resize(
            x,
            target.shape[1:3],
            mode=self.upsample_mode,
            align_corners=bool(self.align_corners),
        )

    def _conv(self, name, x, side, train):
        return ConvModule(
            self.out_channels,
            side,
            padding=side // 2,
            norm_cfg=self.norm_cfg,
            act_cfg=ReLU(),
            name=name,
        )(x, train)

"""BiSeNetV2: https://arxiv.org/abs/2004.02147."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.backbones.backbone import Backbone
from jaxseg.errors import FieldError
from jaxseg.layers.activation import Act, ReLU
from jaxseg.layers.conv import ConvModule, DepthwiseSeparableConvModule
from jaxseg.layers.norm import BN, Norm
from jaxseg.ops.context import global_mean
from jaxseg.ops.narrow import spread
from jaxseg.ops.pool import max_pool, window_mean
from jaxseg.ops.resize import resize
from jaxseg.weights.key_table import KeyTable


def _conv(features, side, name, stride=1, groups=1, act=ReLU()):
    return ConvModule(
        features,
        side,
        stride,
        side // 2,
        groups=groups,
        norm_cfg=BN(),
        act_cfg=act,
        name=name,
    )


class _StemBlock(nn.Module):
    """A stem to 1/4, whose second halving is a convolution and a max-pooling."""

    features: int

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> (N, H / 4, W / 4, features)."""
        c = self.features
        x = _conv(c, 3, "conv_first", 2)(x, train)
        left = _conv(c // 2, 1, "convs.0")(x, train)
        left = _conv(c, 3, "convs.1", 2)(left, train)
        joined = jnp.concatenate([left, max_pool(x, 3, 2, 1)], axis=-1)
        return _conv(c, 3, "fuse_last")(joined, train)


class _GELayer(nn.Module):
    """Gather-and-expansion layer: an inverted residual that begins with a 3x3.

    Attributes:
        features: channels of the result.
        expand_ratio: hidden channels over those of the input.
        stride: 1, or 2 with a convolution in the shortcut.
    """

    features: int
    expand_ratio: int
    stride: int

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> (N, H / stride, W / stride, features)."""
        channels = x.shape[-1]
        hidden = channels * self.expand_ratio
        y = _conv(channels, 3, "conv1")(x, train)
        if self.stride == 1:
            y = _conv(hidden, 3, "dwconv.0", groups=channels)(y, train)
            shortcut = x
        else:
            y = _conv(hidden, 3, "dwconv.0", 2, channels, act=None)(y, train)
            y = _conv(hidden, 3, "dwconv.1", groups=hidden)(y, train)
            shortcut = DepthwiseSeparableConvModule(
                self.features, 3, 2, 1, norm_cfg=BN(), name="shortcut.0"
            )(x, train)
        y = _conv(self.features, 1, "conv2.0", act=None)(y, train)
        return jax.nn.relu(y + shortcut)


class _CEBlock(nn.Module):
    """Context embedding: adds what a layer makes of all channels' means."""

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> the same shape."""
        channels = x.shape[-1]
        y = BN()(name="gap.1")(global_mean(x), train)
        y = _conv(channels, 1, "conv_gap")(y, train)
        return _conv(channels, 3, "conv_last")(x + spread(y, x), train)


class _BGALayer(nn.Module):
    """Guided aggregation: each branch is weighed by the other, at both scales.

    Attributes:
        features: channels of both branches and of the result.
        align_corners: `align_corners` of the resizes.
    """

    features: int
    align_corners: bool

    @nn.compact
    def __call__(self, detail, semantic, train: bool):
        """(N, h, w, C) and a coarser (N, h', w', C) -> (N, h, w, C)."""
        c = self.features
        fine = self._separable("detail_dwconv.0", detail, train)
        coarse = _conv(c, 3, "detail_down.0", 2, act=None)(detail, train)
        coarse = window_mean(coarse, 3, 2, 1)
        guide = _conv(c, 3, "semantic_conv.0", act=None)(semantic, train)
        guide_of_coarse = self._separable("semantic_dwconv.0", semantic, train)
        fine = fine * jax.nn.sigmoid(self._like(guide, fine))
        coarse = coarse * jax.nn.sigmoid(guide_of_coarse)
        joined = fine + self._like(coarse, fine)
        return _conv(c, 3, "conv")(joined, train)

    def _separable(self, name, x, train):
        """A depthwise convolution with a norm, then a 1x1 one with a bias."""
        c = self.features
        x = _conv(c, 3, f"{name}.depthwise_conv", groups=c, act=None)(x, train)
        return ConvModule(c, 1, name=f"{name}.pointwise_conv")(x, train)

    def _like(self, x, target):
        return resize(x, target.shape[1:3], align_corners=self.align_corners)


def _with_biases(weights, part):
    """The convolutions that mmseg gives a bias have none in the original."""
    del part
    result = dict(weights)
    for name in ("detail_dwconv", "semantic_dwconv"):
        start = f"bga.{name}.0.pointwise_conv.conv."
        if (kernel := weights.get(f"{start}weight")) is not None:
            result.setdefault(f"{start}bias", np.zeros(kernel.shape[0], kernel.dtype))
    return result


# https://github.com/CoinCheung/BiSeNet, which mmseg's model follows.
_KEY_TABLE = KeyTable(
    renames=(
        (r"^detail\.S1\.", "detail.detail_branch.0."),
        (r"^detail\.S2\.", "detail.detail_branch.1."),
        (r"^detail\.S3\.", "detail.detail_branch.2."),
        (r"^segment\.S1S2\.conv\.", "semantic.stage1.conv_first."),
        (r"^segment\.S1S2\.left\.", "semantic.stage1.convs."),
        (r"^segment\.S1S2\.fuse\.", "semantic.stage1.fuse_last."),
        (r"^segment\.S3\.", "semantic.stage2."),
        (r"^segment\.S4\.", "semantic.stage3."),
        (r"^segment\.S5_4\.", "semantic.stage4."),
        (r"^segment\.S5_5\.bn\.", "semantic.stage4_CEBlock.gap.1."),
        (r"^segment\.S5_5\.", "semantic.stage4_CEBlock."),
        (r"\.dwconv\.0\.(\w+)$", r".dwconv.0.conv.\1"),
        (r"\.dwconv\.1\.(\w+)$", r".dwconv.0.bn.\1"),
        (r"\.dwconv1\.0\.", ".dwconv.0.conv."),
        (r"\.dwconv1\.1\.", ".dwconv.0.bn."),
        (r"\.dwconv2\.0\.", ".dwconv.1.conv."),
        (r"\.dwconv2\.1\.", ".dwconv.1.bn."),
        (r"\.conv2\.0\.", ".conv2.0.conv."),
        (r"\.conv2\.1\.", ".conv2.0.bn."),
        (r"^bga\.left1\.", "bga.detail_dwconv."),
        (r"^bga\.right2\.", "bga.semantic_dwconv."),
        (r"\.(shortcut|\w+_dwconv)\.0\.", r".\1.0.depthwise_conv.conv."),
        (r"\.(shortcut|\w+_dwconv)\.1\.", r".\1.0.depthwise_conv.bn."),
        (r"\.(shortcut|\w+_dwconv)\.2\.", r".\1.0.pointwise_conv.conv."),
        (r"\.shortcut\.3\.", ".shortcut.0.pointwise_conv.bn."),
        (r"^bga\.left2\.0\.", "bga.detail_down.0.conv."),
        (r"^bga\.left2\.1\.", "bga.detail_down.0.bn."),
        (r"^bga\.right1\.0\.", "bga.semantic_conv.0.conv."),
        (r"^bga\.right1\.1\.", "bga.semantic_conv.0.bn."),
        (r"^bga\.conv\.0\.", "bga.conv.conv."),
        (r"^bga\.conv\.1\.", "bga.conv.bn."),
    ),
    unused=("head.", "aux2.", "aux3.", "aux4.", "aux5_4."),
    convert=_with_biases,
)


class BiSeNetV2(Backbone):
    """A detail branch to 1/8, a semantic one to 1/32, and their guided aggregation.

    Attributes:
        detail_channels: channels of the detail branch's stages, each of which halves
            the map.
        semantic_channels: channels of the semantic branch's stages: the first is at
            1/4, each other one halves the map.
        semantic_expansion_ratio: hidden channels of its inverted residuals over those
            of their input.
        bga_channels: channels of the aggregation, which both branches end with.
        out_indices: which are returned of the aggregation (0) and the semantic
            branch's stages (from 1 on).
        align_corners: `align_corners` of the resizes.
        norm_cfg, act_cfg: not used, as in mmseg: all layers have plain batch norm and
            ReLU.
    """

    detail_channels: tuple[int, ...] = (64, 64, 128)
    semantic_channels: tuple[int, ...] = (16, 32, 64, 128)
    semantic_expansion_ratio: int = 6
    bga_channels: int = 128
    out_indices: tuple[int, ...] = (0, 1, 2, 3, 4)
    align_corners: bool = False
    norm_cfg: Norm = BN()
    act_cfg: Act = ReLU()

    takes_padding = True
    takes_bands = True

    key_table = _KEY_TABLE

    def __post_init__(self):
        count = len(self.semantic_channels)
        if len(self.detail_channels) != count - 1:
            raise FieldError(
                f"detail_channels is {self.detail_channels}, which needs {count - 1} "
                f"entries for {count} semantic_channels"
            )
        for name in ("detail_channels", "semantic_channels"):
            if (last := getattr(self, name)[-1]) != self.bga_channels:
                raise FieldError(
                    f"{name} ends with {last}, allowed: bga_channels, "
                    f"{self.bga_channels}"
                )
        if not all(0 <= index <= count for index in self.out_indices):
            raise FieldError(
                f"out_indices is {self.out_indices}, allowed: 0 to {count}"
            )
        super().__post_init__()

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> the maps of out_indices, at 1/8, 1/4, 1/8, 1/16, 1/32."""
        detail = self._detail(x, train)
        stages = self._semantic(x, train)
        context = _CEBlock(name=f"semantic.stage{len(stages)}_CEBlock")(
            stages[-1], train
        )
        bga = _BGALayer(self.bga_channels, self.align_corners, name="bga")
        outs = (bga(detail, context, train), *stages)
        return tuple(outs[i] for i in self.out_indices)

    def _detail(self, x, train):
        for stage, channels in enumerate(self.detail_channels):
            for k in range(2 if stage == 0 else 3):
                name = f"detail.detail_branch.{stage}.{k}"
                x = _conv(channels, 3, name, 2 if k == 0 else 1)(x, train)
        return x

    def _semantic(self, x, train):
        first, *others = self.semantic_channels
        stages = [_StemBlock(first, name="semantic.stage1")(x, train)]
        for stage, channels in enumerate(others, 2):
            x = stages[-1]
            for k in range(4 if stage == len(self.semantic_channels) else 2):
                x = _GELayer(
                    channels,
                    self.semantic_expansion_ratio,
                    2 if k == 0 else 1,
                    name=f"semantic.stage{stage}.{k}",
                )(x, train)
            stages.append(x)
        return stages

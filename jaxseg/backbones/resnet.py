"""ResNet and its V1c and V1d variants.

Deep Residual Learning for Image Recognition, https://arxiv.org/abs/1512.03385
Bag of Tricks for Image Classification, https://arxiv.org/abs/1812.01187
"""

from typing import Any

import flax.linen as nn
import jax

from jaxseg.backbones.backbone import Backbone
from jaxseg.errors import FieldError
from jaxseg.layers.conv import Conv2d
from jaxseg.layers.norm import BN, Norm
from jaxseg.layers.remat import remat_if
from jaxseg.ops.pool import avg_pool, max_pool
from jaxseg.weights.key_table import KeyTable

_DEPTHS = {
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
}

_KEY_TABLE = KeyTable(
    renames=(
        # mmpretrain's stem of V1c and V1d.
        (r"^stem\.0\.conv\.", "stem.0."),
        (r"^stem\.0\.bn\.", "stem.1."),
        (r"^stem\.1\.conv\.", "stem.3."),
        (r"^stem\.1\.bn\.", "stem.4."),
        (r"^stem\.2\.conv\.", "stem.6."),
        (r"^stem\.2\.bn\.", "stem.7."),
        # timm's.
        (r"^conv1\.(\d)\.", r"stem.\1."),
        (r"^bn1\.", "stem.7."),
    ),
    # The classifier, and the last stages, which num_stages may leave out.
    unused=("fc.", "layer2.", "layer3.", "layer4."),
)


class _Downsample(nn.Module):
    """The projection on a block's shortcut; items are numbered as in mmseg."""

    channels: int
    stride: int
    avg_down: bool
    norm_cfg: Norm

    @nn.compact
    def __call__(self, x, train: bool):
        stride, item = self.stride, 0
        if self.avg_down:
            x, stride, item = avg_pool(x, stride), 1, 1
        x = Conv2d(self.channels, 1, stride, bias=False, name=str(item))(x)
        return self.norm_cfg(name=str(item + 1))(x, train)


class _Block(nn.Module):
    """What both kinds of block have.

    Attributes:
        planes: channels of the inner convolutions.
        stride: the stride of the block.
        dilation: the dilation of its 3x3 convolutions.
        downsample: whether the shortcut is projected.
        last_scale_init: starting scale of the block's last norm.
    """

    planes: int
    stride: int
    dilation: int
    downsample: bool
    style: str
    avg_down: bool
    norm_cfg: Norm
    last_scale_init: Any

    expansion = 1

    def shortcut(self, x, train):
        if not self.downsample:
            return x
        channels = self.planes * self.expansion
        return _Downsample(
            channels, self.stride, self.avg_down, self.norm_cfg, name="downsample"
        )(x, train)

    def conv_norm(self, x, index, train, channels, side, stride=1, last=False):
        dilation = self.dilation if side == 3 and not last else 1
        x = Conv2d(
            channels,
            side,
            stride,
            padding=dilation if side == 3 else 0,
            dilation=dilation,
            bias=False,
            name=f"conv{index}",
        )(x)
        norm = self.norm_cfg(
            f"{self.norm_cfg.abbr}{index}",
            self.last_scale_init if last else nn.initializers.ones,
        )
        return norm(x, train)


class _BasicBlock(_Block):
    """Two 3x3 convolutions; the second is not dilated."""

    @nn.compact
    def __call__(self, x, train: bool):
        y = jax.nn.relu(self.conv_norm(x, 1, train, self.planes, 3, self.stride))
        y = self.conv_norm(y, 2, train, self.planes, 3, last=True)
        return jax.nn.relu(y + self.shortcut(x, train))


class _Bottleneck(_Block):
    """1x1, 3x3 and 1x1 convolutions; `style` says which one has the stride."""

    expansion = 4

    @nn.compact
    def __call__(self, x, train: bool):
        first, second = (
            (1, self.stride) if self.style == "pytorch" else (self.stride, 1)
        )
        y = jax.nn.relu(self.conv_norm(x, 1, train, self.planes, 1, first))
        y = jax.nn.relu(self.conv_norm(y, 2, train, self.planes, 3, second))
        y = self.conv_norm(y, 3, train, self.planes * self.expansion, 1, last=True)
        return jax.nn.relu(y + self.shortcut(x, train))


class ResNet(Backbone):
    """ResNet with dilated stages.

    Attributes:
        depth: 18, 34, 50, 101 or 152.
        stem_channels: channels after the stem.
        base_channels: channels of the first stage's inner convolutions.
        num_stages: number of stages, 1 to 4.
        strides: stride of each stage's first block.
        dilations: dilation of each stage.
        out_indices: the stages that are returned.
        style: `pytorch` (stride on the 3x3) or `caffe` (stride on the first 1x1).
        deep_stem: three 3x3 convolutions in place of the 7x7.
        avg_down: average pooling before the projection of a shortcut.
        frozen_stages: the stem and so many stages keep their weights and statistics;
            -1 freezes nothing.
        norm_cfg: norm of every layer.
        norm_eval: norms use and keep their running statistics in training.
        multi_grid: dilation of each block of the last stage.
        contract_dilation: a stage's first block has half its dilation.
        with_cp: compute a block's activations again in the backward pass.
        zero_init_residual: the last norm of each block starts at zero.
    """

    depth: int
    stem_channels: int = 64
    base_channels: int = 64
    num_stages: int = 4
    strides: tuple[int, ...] = (1, 2, 2, 2)
    dilations: tuple[int, ...] = (1, 1, 1, 1)
    out_indices: tuple[int, ...] = (0, 1, 2, 3)
    style: str = "pytorch"
    deep_stem: bool = False
    avg_down: bool = False
    frozen_stages: int = -1
    norm_cfg: Norm = BN()
    norm_eval: bool = False
    multi_grid: tuple[int, ...] | None = None
    contract_dilation: bool = False
    with_cp: bool = False
    zero_init_residual: bool = True

    takes_padding = True
    takes_bands = True

    key_table = _KEY_TABLE

    def __post_init__(self):
        if self.depth not in _DEPTHS:
            raise FieldError(f"depth is {self.depth}, allowed: {sorted(_DEPTHS)}")
        if self.style not in ("pytorch", "caffe"):
            raise FieldError(f"style is {self.style!r}, allowed: pytorch, caffe")
        if not len(self.strides) == len(self.dilations) == self.num_stages <= 4:
            raise FieldError(
                f"strides {self.strides} and dilations {self.dilations} need one entry "
                f"for each of num_stages={self.num_stages} (at most 4)"
            )
        if max(self.out_indices) >= self.num_stages:
            raise FieldError(
                f"out_indices {self.out_indices} goes past num_stages={self.num_stages}"
            )
        blocks = _DEPTHS[self.depth][1][self.num_stages - 1]
        if self.multi_grid is not None and len(self.multi_grid) != blocks:
            raise FieldError(
                f"multi_grid is {self.multi_grid}; the last stage has {blocks} blocks"
            )
        super().__post_init__()

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, in_channels) -> the stages of out_indices, (N, h, w, C) each."""
        norm_train = train and not self.norm_eval
        frozen = self.frozen_stages >= 0
        x = self._stem(x, norm_train and not frozen)
        # Nothing before this point learns: no backward pass for it.
        x = jax.lax.stop_gradient(x) if frozen else x
        outs = []
        for stage in range(self.num_stages):
            frozen = stage < self.frozen_stages
            x = self._stage(x, stage, norm_train and not frozen)
            x = jax.lax.stop_gradient(x) if frozen else x
            if stage in self.out_indices:
                outs.append(x)
        return tuple(outs)

    def _stem(self, x, train):
        if self.deep_stem:
            x = _DeepStem(self.stem_channels, self.norm_cfg, name="stem")(x, train)
        else:
            x = Conv2d(self.stem_channels, 7, 2, 3, bias=False, name="conv1")(x)
            x = self.norm_cfg(name=f"{self.norm_cfg.abbr}1")(x, train)
            x = jax.nn.relu(x)
        return max_pool(x, 3, 2, 1)  # (N, H/4, W/4, stem_channels)

    def _stage(self, x, stage, train):
        kind, depths = _DEPTHS[self.depth]
        block = _BasicBlock if kind == "basic" else _Bottleneck
        planes = self.base_channels * 2**stage
        stride, dilation = self.strides[stage], self.dilations[stage]
        multi_grid = self.multi_grid if stage == self.num_stages - 1 else None
        dilations = list(multi_grid or [dilation] * depths[stage])
        if multi_grid is None and self.contract_dilation and dilation > 1:
            dilations[0] = dilation // 2
        for i in range(depths[stage]):
            first = i == 0
            x = remat_if(block, self.with_cp)(
                planes,
                stride if first else 1,
                dilations[i],
                first and (stride != 1 or x.shape[-1] != planes * block.expansion),
                self.style,
                self.avg_down,
                self.norm_cfg,
                nn.initializers.zeros
                if self.zero_init_residual
                else nn.initializers.ones,
                name=f"layer{stage + 1}.{i}",
            )(x, train)
        return x

    @property
    def frozen_modules(self) -> tuple[str, ...]:
        """Checkpoint keys of the modules that `frozen_stages` holds."""
        if self.frozen_stages < 0:
            return ()
        stem = ("stem",) if self.deep_stem else ("conv1", f"{self.norm_cfg.abbr}1")
        return (*stem, *(f"layer{i + 1}" for i in range(self.frozen_stages)))


class _DeepStem(nn.Module):
    """Three 3x3 convolutions, the first with stride 2; items numbered as in mmseg."""

    channels: int
    norm_cfg: Norm

    @nn.compact
    def __call__(self, x, train: bool):
        half = self.channels // 2
        for i, (channels, stride) in enumerate(
            ((half, 2), (half, 1), (self.channels, 1))
        ):
            x = Conv2d(channels, 3, stride, 1, bias=False, name=str(3 * i))(x)
            x = jax.nn.relu(self.norm_cfg(name=str(3 * i + 1))(x, train))
        return x


class ResNetV1c(ResNet):
    """ResNet with the deep stem."""

    deep_stem: bool = True

    takes_padding = True
    takes_bands = True


class ResNetV1d(ResNet):
    """ResNet with the deep stem and average pooling on the shortcuts."""

    deep_stem: bool = True
    avg_down: bool = True

    takes_padding = True
    takes_bands = True

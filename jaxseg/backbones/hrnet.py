"""HRNet, High-Resolution Representations: https://arxiv.org/abs/1904.04514."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import ClassVar

import flax.linen as nn
import jax

from jaxseg.backbones.backbone import Backbone
from jaxseg.errors import FieldError
from jaxseg.layers.conv import Conv2d
from jaxseg.layers.norm import BN, Norm
from jaxseg.layers.remat import remat_if
from jaxseg.layers.res_layer import ResBasicBlock, ResBottleneck
from jaxseg.ops.resize import resize, upsample
from jaxseg.weights.key_table import KeyTable

_BLOCKS = {"BASIC": ResBasicBlock, "BOTTLENECK": ResBottleneck}
_STEM_CHANNELS = 64


@dataclasses.dataclass(frozen=True)
class HRStage:
    """One stage of HRNet.

    Attributes:
        num_modules: number of its modules, each of which fuses the branches.
        num_branches: number of branches, each at half the size of the one before.
        block: the kind of block, `BASIC` or `BOTTLENECK`.
        num_blocks: blocks of each branch of a module.
        num_channels: `planes` of each branch's blocks.
    """

    num_modules: int
    num_branches: int
    block: str
    num_blocks: tuple[int, ...]
    num_channels: tuple[int, ...]

    takes_padding = True
    takes_bands = True

    def __post_init__(self):
        if self.block not in _BLOCKS:
            raise FieldError(
                f"block is {self.block!r}, allowed: {', '.join(sorted(_BLOCKS))}"
            )
        if not len(self.num_blocks) == len(self.num_channels) == self.num_branches:
            raise FieldError(
                f"num_blocks {self.num_blocks} and num_channels {self.num_channels} "
                f"need one entry for each of num_branches={self.num_branches}"
            )

    @property
    def out_channels(self) -> tuple[int, ...]:
        """The number of channels of each branch behind its blocks."""
        expansion = _BLOCKS[self.block].expansion
        return tuple(planes * expansion for planes in self.num_channels)


@dataclasses.dataclass(frozen=True)
class HRStages:
    """The four stages; the first one has one branch and one module."""

    stage1: HRStage
    stage2: HRStage
    stage3: HRStage
    stage4: HRStage

    takes_padding = True
    takes_bands = True

    def __post_init__(self):
        first = self.stage1
        if (first.num_branches, first.num_modules) != (1, 1):
            raise FieldError(
                f"stage1: has num_branches={first.num_branches} and num_modules="
                f"{first.num_modules}, allowed: 1 and 1"
            )


class _ConvNorm(nn.Module):
    """A convolution and a norm, items 0 and 1 of mmseg's Sequential."""

    channels: int
    side: int
    stride: int
    norm_cfg: Norm

    @nn.compact
    def __call__(self, x, train: bool):
        x = Conv2d(
            self.channels, self.side, self.stride, self.side // 2, bias=False, name="0"
        )(x)
        return self.norm_cfg(name="1")(x, train)


class _HRModule(nn.Module):
    """The blocks of each branch, and then each branch as a sum of all.

    Attributes:
        stage: the stage that it is one of.
        block: makes a block of its `planes` and `name`.
        norm_cfg: the norm of the sums' convolutions.
        num_outputs: number of branches that are summed, from the finest on.
        mode: how a coarser branch is resized.
    """

    stage: HRStage
    block: Callable[..., nn.Module]
    norm_cfg: Norm
    num_outputs: int
    mode: str

    @nn.compact
    def __call__(self, xs: Sequence[jax.Array], train: bool) -> list[jax.Array]:
        stage = self.stage
        xs = [
            _row(x, self.block, planes, count, f"branches.{i}", train)
            for i, (x, planes, count) in enumerate(
                zip(xs, stage.num_channels, stage.num_blocks, strict=True)
            )
        ]
        if len(xs) == 1:
            return xs
        return [self._sum(i, xs, train) for i in range(self.num_outputs)]

    def _sum(self, i, xs, train):
        """All branches at the size of branch i."""
        total = 0
        for j, x in enumerate(xs):
            name, channels = f"fuse_layers.{i}.{j}", xs[i].shape[-1]
            if j > i:
                x = self._conv(name, channels, 1, 1)(x, train)
                # As in mmseg by the factor first, which makes an odd size larger.
                x = upsample(x, 2 ** (j - i), mode=self.mode)
                x = resize(x, xs[i].shape[1:3], mode=self.mode)
            for k in range(i - j):
                last = k == i - j - 1
                x = self._conv(f"{name}.{k}", channels if last else x.shape[-1], 3, 2)(
                    x, train
                )
                x = x if last else jax.nn.relu(x)
            total = total + x
        return jax.nn.relu(total)

    def _conv(self, name, channels, side, stride):
        return _ConvNorm(channels, side, stride, self.norm_cfg, name=name)


def _row(x, block, planes, count, name, train):
    """Blocks one after the other."""
    for k in range(count):
        x = block(planes, name=f"{name}.{k}")(x, train)
    return x


class HRNet(Backbone, kw_only=True):
    """Branches of several resolutions, which are summed after every few blocks.

    Attributes:
        extra: the four stages; in the last one of HRNetV2-W18 the branches have 18, 36,
            72 and 144 channels.
        norm_cfg: norm of every layer.
        norm_eval: norms use and keep their running statistics in training.
        with_cp: compute a block's activations again in the backward pass.
        frozen_stages: the stem and so many stages, with the transition behind each,
            keep their weights and statistics; -1 freezes nothing.
        zero_init_residual: the last norm of each block starts at zero; in mmseg 1.2.2
            it starts at one whatever this says.
        multiscale_output: whether all branches are returned or the finest alone.
        fusion_mode: how the class resizes a coarser branch that is added to a finer
            one.
    """

    extra: HRStages
    norm_cfg: Norm = BN()
    norm_eval: bool = False
    with_cp: bool = False
    frozen_stages: int = -1
    zero_init_residual: bool = False
    multiscale_output: bool = True

    takes_padding = True
    takes_bands = True

    fusion_mode: ClassVar[str] = "bilinear"

    # The classifier of the original repository and of timm.
    key_table = KeyTable(
        unused=("incre_modules.", "downsamp_modules.", "final_layer.", "classifier.")
    )

    def __call__(self, x, train: bool):
        """(N, H, W, in_channels) -> the branches of the last stage.

        Branch i is (N, ceil(H / 4 / 2**i), ceil(W / 4 / 2**i), channels).
        """
        return self.features(x, train)[1:]

    @nn.compact
    def features(self, x: jax.Array, train: bool) -> tuple[jax.Array, ...]:
        """The map of the stem's first layer, at half the size, and the branches."""
        train = train and not self.norm_eval
        frozen = self.frozen_stages >= 0
        half = self._stem(x, 1, train and not frozen)
        x = self._stem(half, 2, train and not frozen)  # (N, H/4, W/4, 64)
        xs = [jax.lax.stop_gradient(x) if frozen else x]
        for number, stage in enumerate(self._stages, 1):
            frozen = number <= self.frozen_stages
            xs = self._stage(xs, stage, number, train and not frozen)
            if number < len(self._stages):
                channels = self._stages[number].out_channels
                xs = self._transition(xs, channels, number, train and not frozen)
            xs = jax.lax.stop_gradient(xs) if frozen else xs
        return (half, *xs)

    @property
    def _stages(self):
        extra = self.extra
        return extra.stage1, extra.stage2, extra.stage3, extra.stage4

    def _stem(self, x, k, train):
        """Layer k of the stem, which halves the map."""
        x = Conv2d(_STEM_CHANNELS, 3, 2, 1, bias=False, name=f"conv{k}")(x)
        return jax.nn.relu(self.norm_cfg(name=f"{self.norm_cfg.abbr}{k}")(x, train))

    def _stage(self, xs, stage, number, train):
        init = nn.initializers
        block = functools.partial(
            remat_if(_BLOCKS[stage.block], self.with_cp),
            norm_cfg=self.norm_cfg,
            last_scale_init=init.zeros if self.zero_init_residual else init.ones,
        )
        if number == 1:
            planes, count = stage.num_channels[0], stage.num_blocks[0]
            return [_row(xs[0], block, planes, count, "layer1", train)]
        for k in range(stage.num_modules):
            last = number == len(self._stages) and k == stage.num_modules - 1
            outputs = 1 if last and not self.multiscale_output else stage.num_branches
            xs = _HRModule(
                stage,
                block,
                self.norm_cfg,
                outputs,
                self.fusion_mode,
                name=f"stage{number}.{k}",
            )(xs, train)
        return xs

    def _transition(self, xs, channels, number, train):
        """The maps of the next stage's branches; the new ones from the coarsest."""
        ys = []
        for i, width in enumerate(channels):
            name = f"transition{number}.{i}"
            y = xs[min(i, len(xs) - 1)]
            if i < len(xs) and y.shape[-1] != width:
                y = jax.nn.relu(
                    _ConvNorm(width, 3, 1, self.norm_cfg, name=name)(y, train)
                )
            for k in range(i + 1 - len(xs)):
                wide = width if k == i - len(xs) else y.shape[-1]
                conv = _ConvNorm(wide, 3, 2, self.norm_cfg, name=f"{name}.{k}")
                y = jax.nn.relu(conv(y, train))
            ys.append(y)
        return ys

    @property
    def frozen_modules(self) -> tuple[str, ...]:
        """Checkpoint keys of the modules that `frozen_stages` holds."""
        if self.frozen_stages < 0:
            return ()
        abbr = self.norm_cfg.abbr
        names = ["conv1", f"{abbr}1", "conv2", f"{abbr}2"]
        for number in range(1, self.frozen_stages + 1):
            names.append("layer1" if number == 1 else f"stage{number}")
            if number < len(self._stages):
                names.append(f"transition{number}")
        return tuple(names)

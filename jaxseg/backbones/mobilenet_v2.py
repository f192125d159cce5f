"""MobileNetV2, Inverted Residuals and Linear Bottlenecks.

https://arxiv.org/abs/1801.04381
"""

import re

import flax.linen as nn
import jax

from jaxseg.backbones.backbone import Backbone
from jaxseg.errors import FieldError
from jaxseg.layers.activation import Act, ReLU6
from jaxseg.layers.conv import ConvLayer, ConvModule
from jaxseg.layers.inverted_residual import InvertedResidual
from jaxseg.layers.norm import BN, Norm
from jaxseg.layers.remat import remat_if
from jaxseg.ops.make_divisible import make_divisible
from jaxseg.weights.key_table import KeyTable

# Expand ratio, channels and number of blocks of each stage.
_STAGES = (
    (1, 16, 1),
    (6, 24, 2),
    (6, 32, 3),
    (6, 64, 4),
    (6, 96, 3),
    (6, 160, 3),
    (6, 320, 1),
)


def _torchvision_renames():
    """torchvision counts the blocks of all stages, and lays their layers out flat."""
    yield r"^features\.0\.0\.", "conv1.conv."
    yield r"^features\.0\.1\.", "conv1.bn."
    yield r"^features\.18\.", "conv2."
    number = 1
    for stage, (ratio, _, count) in enumerate(_STAGES, 1):
        for block in range(count):
            theirs, ours = (
                rf"^features\.{number}\.conv\.",
                f"layer{stage}.{block}.conv.",
            )
            last = 1 if ratio == 1 else 2
            for item in range(last):
                yield rf"{theirs}{item}\.0\.", f"{ours}{item}.conv."
                yield rf"{theirs}{item}\.1\.", f"{ours}{item}.bn."
            yield rf"{theirs}{last}\.", f"{ours}{last}.conv."
            yield rf"{theirs}{last + 1}\.", f"{ours}{last}.bn."
            number += 1


def _flat_renames():
    """Older repositories count each layer of a block: convolution, norm, ReLU6."""
    yield from list(_torchvision_renames())[:3]
    number = 1
    for stage, (_, _, count) in enumerate(_STAGES, 1):
        for block in range(count):
            theirs, ours = (
                rf"^features\.{number}\.conv\.",
                f"layer{stage}.{block}.conv.",
            )
            for item in range(3):
                yield rf"{theirs}{3 * item}\.", f"{ours}{item}.conv."
                yield rf"{theirs}{3 * item + 1}\.", f"{ours}{item}.bn."
            number += 1


def _timm_keys():
    """timm counts the blocks of each stage, and names each layer of a block."""
    yield "conv_stem.", "conv1.conv."
    yield "bn1.", "conv1.bn."
    for stage, (ratio, _, count) in enumerate(_STAGES):
        names = ("conv_pw", "conv_dw", "conv_pwl")
        names = names if ratio > 1 else ("conv_dw", "conv_pw")
        for block in range(count):
            theirs, ours = f"blocks.{stage}.{block}", f"layer{stage + 1}.{block}.conv"
            for item, name in enumerate(names):
                yield f"{theirs}.{name}.", f"{ours}.{item}.conv."
                yield f"{theirs}.bn{item + 1}.", f"{ours}.{item}.bn."


# Starts of keys, timm's and ours.
TIMM_KEYS = tuple(_timm_keys())


class MobileNetV2(Backbone):
    """Seven stages of inverted residuals.

    Attributes:
        widen_factor: the number of channels over that of the paper.
        strides: stride of each stage's first block.
        dilations: of each stage the dilation of its first block, the others having
            none, as in mmseg; or the dilations of all of its blocks.
        out_indices: the stages that are returned.
        early_indices: those of them whose map is taken behind their first block.
        frozen_stages: the stem and so many stages keep their weights; the stages keep
            their statistics too, the stem's go on as in mmseg. -1 freezes nothing.
        conv_cfg: the kind of every convolution, e.g. `Conv2dAdaptivePadding()`, whose
            padding is TensorFlow's; None: the ordinary one.
        norm_cfg, act_cfg: flavours of the layers.
        pads_input: the zeros around a map are put around a block's input, as in
            pytorch-deeplab-xception (`InvertedResidual`).
        norm_eval: norms use and keep their running statistics in training.
        with_cp: compute a block's activations again in the backward pass.
    """

    widen_factor: float = 1.0
    strides: tuple[int, ...] = (1, 2, 2, 2, 1, 2, 1)
    dilations: tuple[int | tuple[int, ...], ...] = (1, 1, 1, 1, 1, 1, 1)
    out_indices: tuple[int, ...] = (1, 2, 4, 6)
    early_indices: tuple[int, ...] = ()
    frozen_stages: int = -1
    conv_cfg: ConvLayer | None = None
    norm_cfg: Norm = BN()
    act_cfg: Act = ReLU6()
    pads_input: bool = False
    norm_eval: bool = False
    with_cp: bool = False

    takes_padding = True
    takes_bands = True

    key_table = KeyTable(
        renames=(
            *_torchvision_renames(),
            *((f"^{re.escape(theirs)}", ours) for theirs, ours in TIMM_KEYS),
        ),
        # torchvision has no layer 3 in its first block.
        layouts={"features.1.conv.3.weight": tuple(_flat_renames())},
        # pytorch-deeplab-xception's two halves of `features`.
        twins=("low_level_features.", "high_level_features."),
        # The last convolution, its norm in timm, and the classifier.
        unused=("conv2.", "conv_head.", "bn2.", "classifier.", "head."),
    )

    def __post_init__(self):
        count = len(_STAGES)
        if not len(self.strides) == len(self.dilations) == count:
            raise FieldError(
                f"strides {self.strides} and dilations {self.dilations} need {count} "
                "entries, one for each stage"
            )
        for stage, (dilations, (_, _, blocks)) in enumerate(
            zip(self.dilations, _STAGES, strict=True)
        ):
            if isinstance(dilations, tuple) and len(dilations) != blocks:
                raise FieldError(
                    f"dilations.{stage} is {dilations}, allowed: a number, or one for "
                    f"each of {blocks} blocks"
                )
        if not all(0 <= index < count for index in self.out_indices):
            raise FieldError(
                f"out_indices is {self.out_indices}, allowed: 0 to {count - 1}"
            )
        if not set(self.early_indices) <= set(self.out_indices):
            raise FieldError(
                f"early_indices is {self.early_indices}, allowed: those of "
                f"out_indices={self.out_indices}"
            )
        super().__post_init__()

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, in_channels) -> the stages of out_indices, (N, h, w, C) each."""
        train = train and not self.norm_eval
        flavours = {
            "conv_cfg": self.conv_cfg,
            "norm_cfg": self.norm_cfg,
            "act_cfg": self.act_cfg,
        }
        x = ConvModule(
            make_divisible(32 * self.widen_factor),
            3,
            2,
            1,
            **flavours,
            name="conv1",
        )(x, train)
        x = jax.lax.stop_gradient(x) if self.frozen_stages >= 0 else x
        outs = []
        for stage, (ratio, channels, count) in enumerate(_STAGES):
            frozen = stage < self.frozen_stages
            dilations = self.dilations[stage]
            if not isinstance(dilations, tuple):
                dilations = (dilations, *[1] * (count - 1))
            early = stage in self.early_indices
            for i in range(count):
                x = remat_if(InvertedResidual, self.with_cp)(
                    make_divisible(channels * self.widen_factor),
                    self.strides[stage] if i == 0 else 1,
                    dilations[i],
                    ratio,
                    **flavours,
                    pads_input=self.pads_input,
                    name=f"layer{stage + 1}.{i}",
                )(x, train and not frozen)
                if i == 0:
                    first = x
            x = jax.lax.stop_gradient(x) if frozen else x
            if stage in self.out_indices:
                outs.append(first if early else x)
        return tuple(outs)

    @property
    def frozen_modules(self) -> tuple[str, ...]:
        """Checkpoint keys of the modules that `frozen_stages` holds."""
        if self.frozen_stages < 0:
            return ()
        return ("conv1", *(f"layer{i + 1}" for i in range(self.frozen_stages)))

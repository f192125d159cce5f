"""MobileNetV3: https://arxiv.org/abs/1905.02244."""

import flax.linen as nn
import jax

from jaxseg.backbones.backbone import Backbone
from jaxseg.errors import FieldError
from jaxseg.layers.activation import Act, HSwish, ReLU
from jaxseg.layers.conv import ConvModule
from jaxseg.layers.norm import BN, Norm
from jaxseg.layers.remat import remat_if
from jaxseg.layers.se_layer import SELayer
from jaxseg.ops.pad import pad_same
from jaxseg.weights.key_table import KeyTable

# Of each block: kernel size, hidden channels, channels, squeeze-and-excitation or not,
# activation, stride.
_SMALL = (
    (3, 16, 16, True, ReLU(), 2),
    (3, 72, 24, False, ReLU(), 2),
    (3, 88, 24, False, ReLU(), 1),
    (5, 96, 40, True, HSwish(), 1),
    (5, 240, 40, True, HSwish(), 1),
    (5, 240, 40, True, HSwish(), 1),
    (5, 120, 48, True, HSwish(), 1),
    (5, 144, 48, True, HSwish(), 1),
    (5, 288, 96, True, HSwish(), 1),
    (5, 576, 96, True, HSwish(), 1),
    (5, 576, 96, True, HSwish(), 1),
)
_LARGE = (
    (3, 16, 16, False, ReLU(), 1),
    (3, 64, 24, False, ReLU(), 2),
    (3, 72, 24, False, ReLU(), 1),
    (5, 72, 40, True, ReLU(), 2),
    (5, 120, 40, True, ReLU(), 1),
    (5, 120, 40, True, ReLU(), 1),
    (3, 240, 80, False, HSwish(), 1),
    (3, 200, 80, False, HSwish(), 1),
    (3, 184, 80, False, HSwish(), 1),
    (3, 184, 80, False, HSwish(), 1),
    (3, 480, 112, True, HSwish(), 1),
    (3, 672, 112, True, HSwish(), 1),
    (5, 672, 160, True, HSwish(), 1),
    (5, 960, 160, True, HSwish(), 1),
    (5, 960, 160, True, HSwish(), 1),
)
# Blocks, channels of the last layer, and the layers from which on the dilation is 2 and
# 4 in place of the strides of a classifier.
_ARCHS = {"small": (_SMALL, 576, (4, 9)), "large": (_LARGE, 960, (7, 13))}


def _torchvision_renames(arch):
    """torchvision numbers the layers, and those of a block by what the block has."""
    blocks, in_channels = _ARCHS[arch][0], 16
    for layer in (0, len(blocks) + 1):
        yield rf"^features\.{layer}\.0\.", f"layer{layer}.conv."
        yield rf"^features\.{layer}\.1\.", f"layer{layer}.bn."
    for layer, (_, hidden, features, with_se, _, _) in enumerate(blocks, 1):
        names = ["expand_conv"] if hidden != in_channels else []
        names += ["depthwise_conv", *(["se"] if with_se else []), "linear_conv"]
        for item, name in enumerate(names):
            theirs, ours = rf"^features\.{layer}\.block\.{item}\.", f"layer{layer}"
            if name == "se":
                yield rf"{theirs}fc(\d)\.", rf"{ours}.se.conv\1.conv."
            else:
                yield rf"{theirs}0\.", f"{ours}.{name}.conv."
                yield rf"{theirs}1\.", f"{ours}.{name}.bn."
        in_channels = features


class _InvertedResidual(nn.Module):
    """An inverted residual, perhaps with squeeze-and-excitation in the middle."""

    features: int
    hidden: int
    kernel_size: int
    stride: int
    dilation: int
    with_se: bool
    norm_cfg: Norm
    act_cfg: Act

    @nn.compact
    def __call__(self, x, train: bool):
        flavours = {"norm_cfg": self.norm_cfg, "act_cfg": self.act_cfg}
        side, y = self.kernel_size, x
        if self.hidden != x.shape[-1]:
            y = ConvModule(self.hidden, 1, **flavours, name="expand_conv")(y, train)
        y = pad_same(y, side, 2) if self.stride == 2 else y
        y = ConvModule(
            self.hidden,
            side,
            self.stride,
            0 if self.stride == 2 else side // 2 * self.dilation,
            self.dilation,
            self.hidden,
            **flavours,
            name="depthwise_conv",
        )(y, train)
        if self.with_se:
            y = SELayer(4, name="se")(y, train)
        y = ConvModule(self.features, 1, norm_cfg=self.norm_cfg, name="linear_conv")(
            y, train
        )
        return x + y if self.stride == 1 and x.shape == y.shape else y


class MobileNetV3(Backbone):
    """The stem, inverted residuals and a last 1x1 convolution; at 1/8 at the coarsest.

    Layer 0 is the stem, the last one (12 of `small`, 16 of `large`) the 1x1 convolution.

    Attributes:
        arch: `small` or `large`.
        out_indices: the layers that are returned.
        frozen_stages: the layers up to this one keep their weights and statistics;
            -1 freezes nothing.
        reduction_factor: how many times fewer channels the blocks at the end have than
            in the paper.
        norm_cfg: norm of every layer.
        norm_eval: norms use and keep their running statistics in training.
        with_cp: compute a block's activations again in the backward pass.
    """

    arch: str = "small"
    out_indices: tuple[int, ...] = (0, 1, 12)
    frozen_stages: int = -1
    reduction_factor: int = 1
    norm_cfg: Norm = BN()
    norm_eval: bool = False
    with_cp: bool = False

    def __post_init__(self):
        if self.arch not in _ARCHS:
            raise FieldError(f"arch is {self.arch!r}, allowed: {', '.join(_ARCHS)}")
        last = len(_ARCHS[self.arch][0]) + 1
        if not all(0 <= index <= last for index in self.out_indices):
            raise FieldError(f"out_indices is {self.out_indices}, allowed: 0 to {last}")
        super().__post_init__()

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, in_channels) -> the layers of out_indices, (N, h, w, C) each."""
        train = train and not self.norm_eval
        blocks, channels, _ = _ARCHS[self.arch]
        outs = []
        for layer in range(len(blocks) + 2):
            frozen, name = layer <= self.frozen_stages, f"layer{layer}"
            if 0 < layer <= len(blocks):
                make = self._block(layer, name)
            else:
                stem = (16, 3, 2) if layer == 0 else (channels, 1, 1)
                make = ConvModule(
                    *stem, norm_cfg=self.norm_cfg, act_cfg=HSwish(), name=name
                )
            x = make(pad_same(x, 3, 2) if layer == 0 else x, train and not frozen)
            x = jax.lax.stop_gradient(x) if frozen else x
            if layer in self.out_indices:
                outs.append(x)
        return tuple(outs)

    @property
    def key_table(self) -> KeyTable:
        """torchvision's names; those of mmpretrain are mmseg's."""
        renames = tuple(_torchvision_renames(self.arch))
        return KeyTable(renames=renames, unused=("classifier.", "head."))

    def _block(self, layer, name):
        blocks, _, (twice, four_times) = _ARCHS[self.arch]
        side, hidden, features, with_se, act_cfg, stride = blocks[layer - 1]
        if layer >= four_times:
            hidden //= self.reduction_factor
            features //= self.reduction_factor
        dilation = 4 if layer >= four_times else 2 if layer >= twice else 1
        return remat_if(_InvertedResidual, self.with_cp)(
            features,
            hidden,
            side,
            stride,
            dilation,
            with_se,
            self.norm_cfg,
            act_cfg,
            name=name,
        )

    @property
    def frozen_modules(self) -> tuple[str, ...]:
        """Checkpoint keys of the modules that `frozen_stages` holds."""
        return tuple(f"layer{i}" for i in range(self.frozen_stages + 1))

"""timm's models: which of our backbones computes them, and under which keys.

The names, sizes and order of features are those of timm 1.0.31,
https://github.com/huggingface/pytorch-image-models
"""

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax

from jaxseg.backbones.backbone import Backbone
from jaxseg.backbones.hrnet import HRNet, HRStage, HRStages
from jaxseg.backbones.mobilenet_v2 import TIMM_KEYS, MobileNetV2
from jaxseg.backbones.resnet import ResNet
from jaxseg.backbones.resnext import ResNeXt
from jaxseg.backbones.vit import VisionTransformer
from jaxseg.config import nearest
from jaxseg.errors import FieldError
from jaxseg.layers.norm import LN
from jaxseg.layers.res_layer import ResBottleneck
from jaxseg.ops.pool import max_pool

Features = tuple[jax.Array, ...]

# Strides and dilations of a ResNet's stages, by its output stride.
_OF_STRIDE = {
    32: ((1, 2, 2, 2), (1, 1, 1, 1)),
    16: ((1, 2, 2, 1), (1, 1, 1, 2)),
    8: ((1, 2, 1, 1), (1, 1, 2, 4)),
}
_DEEP_STEM = (
    *((f"conv1.{i}.", f"stem.{i}.") for i in (0, 1, 3, 4, 6)),
    ("bn1.", "stem.7."),
)
# Embedding, blocks and heads.
_VIT = {
    "tiny": (192, 12, 3),
    "small": (384, 12, 6),
    "base": (768, 12, 12),
    "large": (1024, 24, 16),
    "huge": (1280, 32, 16),
}


@dataclasses.dataclass(frozen=True)
class Architecture:
    """One of timm's models.

    Attributes:
        backbone: our class.
        fields: its fields that are the same whatever the config says.
        features: calls it with images and `train`: all features, in timm's order.
        keys: pairs of the starts of its keys, timm's and ours, where they differ.
        unused: starts of timm's keys of what no feature needs.
        num_features: number of features.
        out_indices: those that timm returns by default.
        output_strides: the output strides that both compute alike.
        img_size: the side that its position table is for, or None without one.
        holder: the name that timm's extractor of features has the model by.
        is_batch_normed: whether timm takes a norm_layer for it.
    """

    backbone: Callable[..., Backbone]
    fields: Mapping[str, Any]
    features: Callable[[Any, jax.Array, bool], Features]
    keys: tuple[tuple[str, str], ...] = ()
    unused: tuple[str, ...] = ()
    num_features: int = 5
    out_indices: tuple[int, ...] = (0, 1, 2, 3, 4)
    output_strides: tuple[int, ...] = (32,)
    img_size: int | None = None
    holder: str = ""
    is_batch_normed: bool = True

    def sized(self, last: int, output_stride: int, img_size: int | None) -> dict:
        """The fields that hang on what is asked for.

        Args:
            last: the last feature; timm leaves out what is behind it.
            output_stride: one of `output_strides`.
            img_size: None for the architecture's.
        """
        if issubclass(self.backbone, ResNet):
            stages = max(last, 1)
            strides, dilations = _OF_STRIDE[output_stride]
            return dict(
                num_stages=stages,
                strides=strides[:stages],
                dilations=dilations[:stages],
                out_indices=tuple(range(stages)),
            )
        if self.img_size is not None:
            return dict(
                num_layers=last + 1,
                out_indices=tuple(range(last + 1)),
                img_size=img_size or self.img_size,
            )
        return {}


def _of_resnet(net: ResNet, x: jax.Array, train: bool) -> Features:
    """The stem before its pooling, and the stages."""
    stem = []

    def pool(x):
        stem.append(x)
        return max_pool(x, 3, 2, 1)

    stages = net.stages(x, train, pool)
    return (*stem, *stages)


def _of_call(net: Backbone, x: jax.Array, train: bool) -> Features:
    return net(x, train)


def _of_hrnet(net: "_HRNetWithIncrease", x: jax.Array, train: bool) -> Features:
    return net.features(x, train)


class _HRNetWithIncrease(HRNet):
    """HRNet as timm has it: nearest pixels, and the classifier's first blocks."""

    takes_padding = True
    takes_bands = True

    fusion_mode = "nearest"

    @nn.compact
    def features(self, x, train: bool):
        half, *branches = super().features(x, train)
        return half, *(
            ResBottleneck(
                32 * 2**i, norm_cfg=self.norm_cfg, name=f"incre_modules.{i}.0"
            )(branch, train)
            for i, branch in enumerate(branches)
        )


def _resnet(backbone, stem="", **fields):
    """stem: timm's letter behind the depth."""
    deep = bool(stem)
    basic = fields["depth"] < 50
    return Architecture(
        backbone,
        dict(
            deep_stem=deep,
            avg_down=stem == "d",
            stem_channels=128 if stem == "s" else 64,
            contract_dilation=True,
            **fields,
        ),
        _of_resnet,
        keys=_DEEP_STEM if deep else (),
        unused=("fc.", "layer2.", "layer3.", "layer4."),
        # With a dilation timm's basic blocks dilate both convolutions, and its
        # shortcuts of the letter d pool two pixels without a stride.
        output_strides=(32,) if basic or stem == "d" else (32, 16, 8),
    )


def _mobilenet(widen_factor):
    return Architecture(
        MobileNetV2,
        dict(widen_factor=widen_factor, out_indices=(0, 1, 2, 4, 6)),
        _of_call,
        keys=TIMM_KEYS,
        unused=("conv_head.", "bn2.", "classifier."),
    )


def _hrnet(channels, first=(4, 64), modules=(1, 4, 3), blocks=4):
    """first: blocks and channels of the first stage; modules: of the others."""
    stages = {"stage1": HRStage(1, 1, "BOTTLENECK", (first[0],), (first[1],))}
    for branches, count in enumerate(modules, 2):
        stages[f"stage{branches}"] = HRStage(
            count,
            branches,
            "BASIC",
            (blocks,) * branches,
            tuple(channels * 2**i for i in range(branches)),
        )
    return Architecture(
        _HRNetWithIncrease,
        dict(extra=HRStages(**stages)),
        _of_hrnet,
        unused=("downsamp_modules.", "final_layer.", "classifier."),
        is_batch_normed=False,
    )


def _vit(size, patch_size, img_size):
    embed_dims, num_layers, num_heads = _VIT[size]
    keys = [("patch_embed.proj.", "patch_embed.projection.")]
    for i in range(num_layers):
        keys += [
            (f"blocks.{i}.{theirs}", f"layers.{i}.{ours}")
            for theirs, ours in (
                ("norm1.", "ln1."),
                ("norm2.", "ln2."),
                ("attn.qkv.", "attn.attn.in_proj_"),
                ("attn.proj.", "attn.attn.out_proj."),
                ("mlp.fc1.", "ffn.layers.0.0."),
                ("mlp.fc2.", "ffn.layers.1."),
            )
        ]
    return Architecture(
        VisionTransformer,
        dict(
            patch_size=patch_size,
            embed_dims=embed_dims,
            num_heads=num_heads,
            norm_cfg=LN(eps=1e-6),
            patch_bias=True,
        ),
        _of_call,
        keys=tuple(keys),
        unused=("norm.", "head.", *(f"layers.{i}." for i in range(num_layers))),
        num_features=num_layers,
        out_indices=tuple(range(num_layers - 3, num_layers)),
        output_strides=(),
        img_size=img_size,
        holder="model",
        is_batch_normed=False,
    )


def _architectures():
    for depth in (18, 34, 50, 101, 152):
        yield f"resnet{depth}", _resnet(ResNet, depth=depth)
        yield f"resnet{depth}d", _resnet(ResNet, "d", depth=depth)
        if depth >= 50:
            for stem in "cs":
                yield f"resnet{depth}{stem}", _resnet(ResNet, stem, depth=depth)
    for depth, groups, width in (
        (50, 32, 4),
        (101, 32, 4),
        (101, 32, 8),
        (101, 32, 16),
        (101, 32, 32),
        (101, 64, 4),
    ):
        fields = dict(depth=depth, groups=groups, base_width=width)
        fields["zero_init_residual"] = True
        yield f"resnext{depth}_{groups}x{width}d", _resnet(ResNeXt, **fields)
        if depth == 50:
            yield "resnext50d_32x4d", _resnet(ResNeXt, "d", **fields)
    for percent in (35, 50, 75, 100, 140):
        yield f"mobilenetv2_{percent:03}", _mobilenet(percent / 100)
    yield "hrnet_w18_small", _hrnet(16, (1, 32), (1, 1, 1), 2)
    yield "hrnet_w18_small_v2", _hrnet(18, (2, 64), (1, 3, 2), 2)
    for channels in (18, 30, 32, 40, 44, 48, 64):
        yield f"hrnet_w{channels}", _hrnet(channels)
    for size, patches in {
        "tiny": (16,),
        "small": (8, 16, 32),
        "base": (8, 16, 32),
        "large": (14, 16, 32),
        "huge": (14,),
    }.items():
        for patch in patches:
            yield f"vit_{size}_patch{patch}_224", _vit(size, patch, 224)
            if patch in (16, 32):
                yield f"vit_{size}_patch{patch}_384", _vit(size, patch, 384)
    for size in ("tiny", "small", "base"):
        yield f"deit_{size}_patch16_224", _vit(size, 16, 224)
    yield "deit_base_patch16_384", _vit("base", 16, 384)


ARCHITECTURES: Mapping[str, Architecture] = dict(_architectures())


def architecture_of(model_name: str) -> Architecture:
    """The architecture of a timm name, with or without a tag of its weights.

    Raises:
        FieldError: naming those that there are.
    """
    name = model_name.partition(".")[0]
    if name not in ARCHITECTURES:
        raise FieldError(
            f"model_name is {model_name!r}{nearest(name, ARCHITECTURES)}; of timm's "
            f"models jaxseg has {', '.join(ARCHITECTURES)}"
        )
    return ARCHITECTURES[name]


def renamed(key: str, pairs: tuple[tuple[str, str], ...]) -> str:
    """A key whose start is the first of a pair, with the second."""
    return next(
        (ours + key[len(theirs) :] for theirs, ours in pairs if key.startswith(theirs)),
        key,
    )


def as_regex(
    pairs: tuple[tuple[str, str], ...], below: str
) -> tuple[tuple[str, str], ...]:
    """Pairs as the renames of a `KeyTable` that puts all keys below something."""
    start = re.escape(below)
    return (
        *((rf"^{re.escape(theirs)}", f"{below}{ours}") for theirs, ours in pairs),
        (rf"^(?!{start})", below),
    )

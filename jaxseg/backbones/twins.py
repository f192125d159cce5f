"""Twins, PCPVT and SVT: https://arxiv.org/abs/2104.13840."""

import math

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from jaxseg.backbones.backbone import Backbone
from jaxseg.errors import FieldError
from jaxseg.layers.activation import GELU
from jaxseg.layers.conv import Conv2d, kaiming_normal
from jaxseg.layers.dropout import Dropout, DropPath, attention_dropout
from jaxseg.layers.embed import PatchEmbed
from jaxseg.layers.norm import LN, Norm
from jaxseg.layers.transformer import (
    FFN,
    EfficientMultiheadAttention,
    Linear,
    dropout_rates,
    zero_bias,
)
from jaxseg.ops.attention import attend
from jaxseg.ops.narrow import times
from jaxseg.ops.padded.valid_size import in_bucket
from jaxseg.ops.windows import from_windows, pad_to_windows, to_windows
from jaxseg.weights.join_weights import join_projections
from jaxseg.weights.key_table import KeyTable


def _convert(weights, part):
    del part
    return join_projections(weights)


def _key_table(blocks_with_queries):
    """For names of https://github.com/Meituan-AutoML/Twins, which are timm's, too."""
    return KeyTable(
        renames=(
            (r"^(patch_embeds\.\d+)\.proj\.", r"\1.projection."),
            (r"^pos_block\.(\d+)\.proj\.0\.", r"position_encodings.\1.proj."),
            (r"^blocks\.", "layers."),
            (
                rf"^(layers\.\d+\.{blocks_with_queries})\.attn\.proj\.",
                r"\1.attn.attn.out_proj.",
            ),
            (r"\.mlp\.fc1\.", ".ffn.layers.0.0."),
            (r"\.mlp\.fc2\.", ".ffn.layers.1."),
        ),
        unused=("head.", "norm."),
        convert=_convert,
    )


class _WindowAttention(nn.Module):
    """Attention among the pixels of a window, mmseg's LocallyGroupedSelfAttention."""

    num_heads: int
    window_size: int
    qkv_bias: bool
    attn_drop_rate: float
    drop_rate: float

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> (N, H, W, C)."""
        side, size = self.window_size, x.shape[1:3]
        seen = _keys_of_padding(size, side)
        x = pad_to_windows(x, side)
        padded, x = x.shape[1:3], to_windows(x, side)  # (N, windows, L, C)
        width = x.shape[-1]
        q, k, v = (
            y.reshape(*x.shape[:3], self.num_heads, -1)
            for y in jnp.split(
                Linear(3 * width, self.qkv_bias, name="qkv")(x), 3, axis=-1
            )
        )
        q = times(q, q.shape[-1] ** -0.5)
        drop = attention_dropout(self.attn_drop_rate, train)
        x = attend(q, k, v, seen, drop).reshape(x.shape)
        x = from_windows(x, padded, side)[:, : size[0], : size[1]]
        x = Linear(width, name="proj")(x)
        return Dropout(self.drop_rate, name="proj_drop")(x, train)


def _keys_of_padding(size, side):
    """Which keys a query sees: of padding and of image those of the same, in one case.

    mmseg's mask is there where a map is padded on the right and below. Where it is padded
    on one side alone, pixels see the padding.

    Args:
        size: (H, W) of the map before it is padded.
        side: of a window in pixels.

    Returns:
        Bool, (1 or N, windows, side * side, side * side), or None for all.
    """
    if (sizes := in_bucket()) is not None:
        lengths = [sizes.length(axis, size[axis]) for axis in range(2)]
    elif all(length % side for length in size):
        lengths = [np.array([length]) for length in size]
    else:
        return None
    rows, columns = (
        np.arange(length + -length % side) >= own[:, None]
        for length, own in zip(size, lengths, strict=True)
    )
    both = (lengths[0] % side != 0) & (lengths[1] % side != 0)
    outside = (rows[:, :, None] | columns[:, None, :]) & both[:, None, None]
    outside = to_windows(outside[..., None], side)
    return jnp.asarray(outside == outside.swapaxes(2, 3))


class _EncoderLayer(nn.Module):
    """Attention and FFN, each after a norm.

    Attributes:
        window_size: side of the windows of the attention in pixels; None: a pixel sees
            the keys of the whole map.
        The others are the backbone's.
    """

    num_heads: int
    feedforward_channels: int
    sr_ratio: int
    window_size: int | None
    drop_rate: float
    attn_drop_rate: float
    drop_path_rate: float
    qkv_bias: bool

    @nn.compact
    def __call__(self, x, train: bool):
        # A layer norm of torch's eps, whatever the backbone's norm_cfg, as in mmseg.
        y = LN()(name="norm1")(x, train)
        y = self._attention(y, train)
        x = x + DropPath(self.drop_path_rate, name="drop_path1")(y, train)
        y = LN()(name="norm2")(x, train)
        y = FFN(
            self.feedforward_channels,
            GELU(),
            self.drop_rate,
            self.drop_path_rate,  # and a second time behind it, as in mmseg
            bias_init=zero_bias,
            name="ffn",
        )(y, 0, train)
        return x + DropPath(self.drop_path_rate, name="drop_path2")(y, train)

    def _attention(self, x, train):
        if self.window_size is not None:
            return _WindowAttention(
                self.num_heads,
                self.window_size,
                self.qkv_bias,
                self.attn_drop_rate,
                self.drop_rate,
                name="attn",
            )(x, train)
        return EfficientMultiheadAttention(
            self.num_heads,
            bias=self.qkv_bias,
            attn_drop=self.attn_drop_rate,
            proj_drop=self.drop_rate,
            drop_path=self.drop_path_rate,  # and a second time, too
            sr_ratio=self.sr_ratio,
            name="attn",
        )(x, 0, train)


class _PositionEncoding(nn.Module):
    """Conditional position encoding: https://arxiv.org/abs/2102.10882."""

    @nn.compact
    def __call__(self, x):
        width = x.shape[-1]
        # Nine outputs see an input.
        init = nn.initializers.normal(math.sqrt(2 / 9))
        proj = Conv2d(width, 3, padding=1, groups=width, kernel_init=init, name="proj")
        return x + proj(x)


class PCPVT(Backbone):
    """Twins-PCPVT: attention over fewer keys, and where pixels are by a convolution.

    Attributes:
        embed_dims: channels of each stage.
        patch_sizes, strides: sides of the patches that each stage makes of the map
            before, and the distance between them.
        num_heads: attention heads of each stage.
        mlp_ratios: width of each stage's FFNs over that of the stage.
        out_indices: the stages that are returned.
        qkv_bias: whether q, k and v have a bias; with them, in attention over fewer
            keys, the projection after them.
        drop_rate, attn_drop_rate, drop_path_rate: the rates of the tokens and
            projections, the attention probabilities, and the last block's stochastic
            depth.
        norm_cfg: norm behind the patches, and behind the stages.
        depths: number of blocks of each stage.
        sr_ratios: how many pixels a key of a stage's attention stands for, along
            either axis.
        norm_after_stage: norm behind each stage.
    """

    embed_dims: tuple[int, ...] = (64, 128, 256, 512)
    patch_sizes: tuple[int, ...] = (4, 2, 2, 2)
    strides: tuple[int, ...] = (4, 2, 2, 2)
    num_heads: tuple[int, ...] = (1, 2, 4, 8)
    mlp_ratios: tuple[int, ...] = (4, 4, 4, 4)
    out_indices: tuple[int, ...] = (0, 1, 2, 3)
    qkv_bias: bool = False
    drop_rate: float = 0.0
    attn_drop_rate: float = 0.0
    drop_path_rate: float = 0.0
    norm_cfg: Norm = LN()
    depths: tuple[int, ...] = (3, 4, 6, 3)
    sr_ratios: tuple[int, ...] = (8, 4, 2, 1)
    norm_after_stage: bool = False

    takes_padding = True
    takes_bands = True

    key_table = _key_table(r"\d+")
    # Files of classifiers have no norm behind the stages.
    fresh_modules = ("norm_list",)

    def __post_init__(self):
        for name in self._lists:
            if len(getattr(self, name)) < len(self.depths):
                raise FieldError(
                    f"{name} is {getattr(self, name)}: it needs a number for each of the "
                    f"{len(self.depths)} stages of depths"
                )
        if not set(self.out_indices) <= set(range(len(self.depths))):
            raise FieldError(
                f"out_indices is {self.out_indices}, allowed: 0 to "
                f"{len(self.depths) - 1}, the stages"
            )
        super().__post_init__()

    @property
    def _lists(self) -> tuple[str, ...]:
        """Fields with a number for each stage."""
        sizes = ("embed_dims", "patch_sizes", "strides")
        return (*sizes, "num_heads", "mlp_ratios", "sr_ratios")

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, in_channels) -> a map (N, h, w, embed_dims) a stage."""
        rates = iter(dropout_rates(self.drop_path_rate, sum(self.depths)))
        outs = []
        for stage, depth in enumerate(self.depths):
            x = PatchEmbed(
                self.embed_dims[stage],
                self.patch_sizes[stage],
                self.strides[stage],
                norm_cfg=self.norm_cfg,
                kernel_init=kaiming_normal,
                name=f"patch_embeds.{stage}",
            )(x, train)
            drop = Dropout(self.drop_rate, name=f"position_encoding_drops.{stage}")
            x = drop(x, train)
            for block in range(depth):
                x = self._layer(stage, block, next(rates))(x, train)
                if block == 0:
                    x = _PositionEncoding(name=f"position_encodings.{stage}")(x)
            if self.norm_after_stage:
                x = self.norm_cfg(name=f"norm_list.{stage}")(x, train)
            if stage in self.out_indices:
                outs.append(x)
        return tuple(outs)

    def _layer(self, stage, block, rate):
        return _EncoderLayer(
            self.num_heads[stage],
            self.mlp_ratios[stage] * self.embed_dims[stage],
            self.sr_ratios[stage],
            self._window_size(stage, block),
            self.drop_rate,
            self.attn_drop_rate,
            rate,
            self.qkv_bias,
            name=f"layers.{stage}.{block}",
        )

    def _window_size(self, stage: int, block: int) -> int | None:
        """Side of the windows of a block's attention; None without windows."""
        del stage, block
        return None


class SVT(PCPVT):
    """Twins-SVT: every other block attends within windows.

    Attributes:
        windiow_sizes: mmseg's name of the sides of the windows in pixels, one a stage.
        The others are PCPVT's.
    """

    embed_dims: tuple[int, ...] = (64, 128, 256)
    num_heads: tuple[int, ...] = (1, 2, 4)
    mlp_ratios: tuple[int, ...] = (4, 4, 4)
    out_indices: tuple[int, ...] = (0, 1, 2)
    drop_path_rate: float = 0.2
    depths: tuple[int, ...] = (4, 4, 4)
    sr_ratios: tuple[int, ...] = (4, 2, 1)
    windiow_sizes: tuple[int, ...] = (7, 7, 7)
    norm_after_stage: bool = True

    takes_padding = True

    key_table = _key_table(r"\d*[13579]")

    @property
    def _lists(self):
        return (*super()._lists, "windiow_sizes")

    def _window_size(self, stage, block):
        return self.windiow_sizes[stage] if block % 2 == 0 else None

"""Swin Transformer: https://arxiv.org/abs/2103.14030."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.backbones.backbone import Backbone, chosen_maps
from jaxseg.errors import FieldError, ModelSizeError
from jaxseg.layers.activation import GELU, Act
from jaxseg.layers.conv import torch_start
from jaxseg.layers.dropout import Dropout, DropPath, attention_dropout
from jaxseg.layers.embed import PatchEmbed
from jaxseg.layers.norm import LN, Norm
from jaxseg.layers.patch_merging import PatchMerging
from jaxseg.layers.relative_position import resize_bicubic
from jaxseg.layers.remat import remat_if
from jaxseg.layers.transformer import (
    FFN,
    Linear,
    dropout_rates,
    truncated_normal,
    zero_bias,
)
from jaxseg.ops.attention import attend
from jaxseg.ops.narrow import times, wide
from jaxseg.ops.padded.valid_size import NoMaskedForm, in_bucket
from jaxseg.ops.relative_position import (
    relative_position_bias,
    relative_position_index,
)
from jaxseg.ops.windows import (
    from_windows,
    pad_to_windows,
    shifted_window_mask,
    to_windows,
)
from jaxseg.weights.key_table import KeyTable

_TABLE = "relative_position_bias_table"


def _index_tables(swin):
    """The tables of indices in mmseg's files, one a block."""
    index = relative_position_index((swin.window_size,) * 2)
    return {
        f"stages.{stage}.blocks.{block}.attn.w_msa.relative_position_index": index
        for stage, depth in enumerate(swin.depths)
        for block in range(depth)
    }


# Patch merging's weights for pixels that are concatenated column by column.
_BY_COLUMNS = "downsample_by_columns"


def _converted(weights, swin):
    """Patch merging's weights in the order of torch's unfold, without the masks."""
    del swin
    result = {}
    for key, array in weights.items():
        # The original keeps those of its shifted windows, for one size of images.
        if key.endswith(".attn_mask"):
            continue
        if _BY_COLUMNS in key:
            key = key.replace(_BY_COLUMNS, "downsample")
            if array.ndim and array.shape[-1] % 4 == 0:
                by_column = np.asarray(array).reshape(*array.shape[:-1], 2, 2, -1)
                array = by_column.swapaxes(-3, -1).reshape(array.shape)
        result[key] = array
    return result


# The original's names; those of mmpretrain and mmdet are mmseg's.
_RENAMES = (
    (r"^patch_embed\.proj\.", "patch_embed.projection."),
    (r"^layers\.(\d+)\.downsample\.", rf"stages.\1.{_BY_COLUMNS}."),
    (r"^layers\.", "stages."),
    (r"\.attn\.(?=qkv|proj|relative)", ".attn.w_msa."),
    (r"\.mlp\.fc1\.", ".ffn.layers.0.0."),
    (r"\.mlp\.fc2\.", ".ffn.layers.1."),
)
# timm merges before a stage what the original merges behind the one before.
_TIMM = tuple(
    (rf"^layers\.{i + 1}\.downsample\.", f"stages.{i}.{_BY_COLUMNS}.") for i in range(3)
)


class _WindowAttention(nn.Module):
    """Attention in windows, of a map that is rolled by `shift` before and back after.

    mmseg's ShiftWindowMSA and the WindowMSA in it.
    """

    num_heads: int
    window_size: int
    shift: int
    qkv_bias: bool
    qk_scale: float | None
    attn_drop_rate: float
    drop_rate: float

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> (N, H, W, C)."""
        side, shift, size = self.window_size, self.shift, x.shape[1:3]
        x = pad_to_windows(x, side)
        padded, mask = x.shape[1:3], None
        if shift:
            x = jnp.roll(x, (-shift, -shift), (1, 2))
            mask = jnp.asarray(shifted_window_mask(size, side, shift))
        x = self._in_windows(to_windows(x, side), mask, train)
        x = from_windows(x, padded, side)
        if shift:
            x = jnp.roll(x, (shift, shift), (1, 2))
        return x[:, : size[0], : size[1]]

    def _in_windows(self, x, mask, train):
        """(N, windows, L, C) -> the same."""
        window = (self.window_size,) * 2
        rows = math.prod(2 * side - 1 for side in window)
        table = self.param(_TABLE, nn.initializers.zeros, (rows, self.num_heads))
        bias = relative_position_bias(table, window)[None, None]
        width = x.shape[-1]
        qkv = Linear(3 * width, self.qkv_bias, name="qkv")(x)
        q, k, v = (
            y.reshape(*x.shape[:3], self.num_heads, -1)
            for y in jnp.split(qkv, 3, axis=-1)
        )
        q = times(q, self.qk_scale or q.shape[-1] ** -0.5)
        drop = attention_dropout(self.attn_drop_rate, train)
        y = attend(q, k, v, mask, drop, bias).reshape(x.shape)
        y = Linear(width, name="proj")(y)
        return Dropout(self.drop_rate, name="proj_drop")(y, train)


class _Block(nn.Module):
    """Attention in windows and FFN, each after a norm and with stochastic depth."""

    num_heads: int
    feedforward_channels: int
    window_size: int
    shift: int
    qkv_bias: bool
    qk_scale: float | None
    drop_rate: float
    attn_drop_rate: float
    drop_path_rate: float
    norm_cfg: Norm
    act_cfg: Act

    @nn.compact
    def __call__(self, x, train: bool):
        y = self.norm_cfg(name="norm1")(x, train)
        y = _WindowAttention(
            self.num_heads,
            self.window_size,
            self.shift,
            self.qkv_bias,
            self.qk_scale,
            self.attn_drop_rate,
            self.drop_rate,
            name="attn.w_msa",
        )(y, train)
        x = x + DropPath(self.drop_path_rate, name="attn.drop")(y, train)
        y = self.norm_cfg(name="norm2")(x, train)
        return FFN(
            self.feedforward_channels,
            self.act_cfg,
            self.drop_rate,
            self.drop_path_rate,
            bias_init=zero_bias,
            name="ffn",
        )(y, x, train)


class SwinTransformer(Backbone):
    """Attention in windows that every second block shifts; maps of 1/4 to 1/32.

    Attributes:
        pretrain_img_size: (height, width) or side of the images that the position table
            is for; read with `use_abs_pos_embed`.
        embed_dims: channels of the first stage; each stage has twice those before it.
        patch_size: side of a patch in pixels.
        window_size: side of a window in tokens.
        mlp_ratio: width of the FFN over its channels.
        depths: blocks of each stage.
        num_heads: attention heads of each stage.
        strides: of the patches, which is their size, and of the merging of patches
            before each further stage.
        out_indices: the stages that are returned, each after a norm of its own.
        qkv_bias: whether q, k and v have a bias.
        qk_scale: factor of the scores; None: 1 / sqrt(channels of a head).
        patch_norm: norms in the patch embedding and in the merging.
        drop_rate, attn_drop_rate, drop_path_rate: the rates of the tokens and
            projections, the attention probabilities, and the last block's stochastic
            depth.
        use_abs_pos_embed: add a position table, which fits images of
            `pretrain_img_size` alone.
        act_cfg, norm_cfg: flavours of the layers.
        with_cp: compute a block's activations again in the backward pass.
        frozen_stages: the patch embedding and so many stages keep their weights and
            have no dropout; -1 freezes nothing.
    """

    pretrain_img_size: int | tuple[int, int] = 224
    embed_dims: int = 96
    patch_size: int = 4
    window_size: int = 7
    mlp_ratio: float = 4
    depths: tuple[int, ...] = (2, 2, 6, 2)
    num_heads: tuple[int, ...] = (3, 6, 12, 24)
    strides: tuple[int, ...] = (4, 2, 2, 2)
    out_indices: tuple[int, ...] = (0, 1, 2, 3)
    qkv_bias: bool = True
    qk_scale: float | None = None
    patch_norm: bool = True
    drop_rate: float = 0.0
    attn_drop_rate: float = 0.0
    drop_path_rate: float = 0.1
    use_abs_pos_embed: bool = False
    act_cfg: Act = GELU()
    norm_cfg: Norm = LN()
    with_cp: bool = False
    frozen_stages: int = -1

    takes_padding = True

    key_table = KeyTable(
        renames=_RENAMES,
        layouts={"layers.3.downsample.norm.weight": _TIMM + _RENAMES},
        # The classifier and its norm, and the norms of stages that are not returned.
        unused=("head.", "norm.", *(f"norm{i}." for i in range(4))),
        buffers=_index_tables,
        convert=_converted,
    )
    # A classifier has none of the norms of the stages.
    fresh_modules = tuple(f".norm{i}" for i in range(4))

    def __post_init__(self):
        counts = [len(self.depths), len(self.num_heads), len(self.strides)]
        if len(set(counts)) > 1:
            raise FieldError(
                "depths, num_heads and strides have "
                f"{counts[0]}, {counts[1]} and {counts[2]} entries; each has one a stage"
            )
        if self.strides[0] != self.patch_size:
            raise FieldError(
                f"strides begins with {self.strides[0]}, allowed: the patch_size, "
                f"{self.patch_size}"
            )
        for stage, heads in enumerate(self.num_heads):
            if self._width(stage) % heads:
                raise FieldError(
                    f"num_heads of stage {stage} is {heads}, which does not divide its "
                    f"{self._width(stage)} channels"
                )
        chosen_maps(self.out_indices, len(self.depths))
        super().__post_init__()

    def check_size(self, size: tuple[int, int]) -> None:
        """With a position table, images of other sizes than its own are refused."""
        found = tuple(-(-side // self.patch_size) for side in size)
        if self.use_abs_pos_embed and found != self._table_grid:
            raise ModelSizeError(
                f"SwinTransformer: an image of {size[0]}x{size[1]} has "
                f"{found[0]}x{found[1]} patches, and with use_abs_pos_embed there are "
                f"positions for {self._table_grid[0]}x{self._table_grid[1]}, those of "
                f"pretrain_img_size={self.pretrain_img_size}"
            )

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, in_channels) -> the stages of out_indices, (N, h, w, C) each."""
        frozen = self.frozen_stages >= 0
        x = self._patches(x, train and not frozen)
        x = jax.lax.stop_gradient(x) if frozen else x
        rates = dropout_rates(self.drop_path_rate, sum(self.depths))
        outs, first = [], 0
        wanted = chosen_maps(self.out_indices, len(self.depths))
        for stage, depth in enumerate(self.depths):
            frozen = stage < self.frozen_stages
            trains = train and not frozen
            x = self._stage(x, stage, rates[first : first + depth], trains)
            x, first = jax.lax.stop_gradient(x) if frozen else x, first + depth
            if stage in wanted:
                outs.append(self.norm_cfg(name=f"norm{stage}")(x, trains))
            if stage < len(self.depths) - 1:
                x = PatchMerging(
                    self._width(stage + 1),
                    self.strides[stage + 1],
                    self.norm_cfg if self.patch_norm else None,
                    name=f"stages.{stage}.downsample",
                )(x, trains)
                x = jax.lax.stop_gradient(x) if frozen else x
        return tuple(outs)

    def _width(self, stage):
        return self.embed_dims * 2**stage

    @property
    def _table_grid(self):
        size = self.pretrain_img_size
        size = (size, size) if isinstance(size, int) else size
        return tuple(side // self.patch_size for side in size)

    def _patches(self, x, train):
        """(N, H, W, in_channels) -> (N, h, w, embed_dims), with positions."""
        self.check_size(x.shape[1:3])
        x = PatchEmbed(
            self.embed_dims,
            self.patch_size,
            norm_cfg=self.norm_cfg if self.patch_norm else None,
            **torch_start(self.in_channels * self.patch_size**2),
            name="patch_embed",
        )(x, train)
        if self.use_abs_pos_embed:
            if in_bucket() is not None:
                raise NoMaskedForm("a position table that fits one size of images")
            shape = (1, math.prod(self._table_grid), self.embed_dims)
            table = self.param("absolute_pos_embed", truncated_normal, shape)
            x = (wide(x) + table.reshape(1, *x.shape[1:])).astype(x.dtype)
        return Dropout(self.drop_rate, name="drop_after_pos")(x, train)

    def _stage(self, x, stage, rates, train):
        for i, rate in enumerate(rates):
            x = remat_if(_Block, self.with_cp)(
                self.num_heads[stage],
                int(self.mlp_ratio * self._width(stage)),
                self.window_size,
                self.window_size // 2 if i % 2 else 0,
                self.qkv_bias,
                self.qk_scale,
                self.drop_rate,
                self.attn_drop_rate,
                rate,
                self.norm_cfg,
                self.act_cfg,
                name=f"stages.{stage}.blocks.{i}",
            )(x, train)
        return x

    @property
    def frozen_modules(self) -> tuple[str, ...]:
        """Checkpoint keys of the modules and parameters that `frozen_stages` holds."""
        if self.frozen_stages < 0:
            return ()
        stages = range(min(self.frozen_stages, len(self.depths)))
        wanted = chosen_maps(self.out_indices, len(self.depths))
        norms = [f"norm{i}" for i in stages if i in wanted]
        table = ["absolute_pos_embed"] if self.use_abs_pos_embed else []
        return ("patch_embed", *table, *norms, *(f"stages.{i}" for i in stages))

    def resize_weight(self, key: str, weight: np.ndarray) -> np.ndarray:
        """A stored weight of another shape at this model's sizes, as mmseg loads it.

        Args:
            key: below the backbone.
            weight: that of a checkpoint. A table of relative positions is taken to be
                of a square window.

        Returns:
            The table resized to this window by bicubic interpolation, anything else
            unchanged.
        """
        if not key.endswith(_TABLE) or weight.ndim != 2:
            return weight
        side = math.isqrt(len(weight))
        return resize_bicubic(weight, side, 2 * self.window_size - 1)

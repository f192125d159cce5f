"""BEiT: https://arxiv.org/abs/2106.08254."""

import math

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from jaxseg.backbones.backbone import Backbone, chosen_maps
from jaxseg.errors import ModelSizeError
from jaxseg.layers.activation import GELU, Act
from jaxseg.layers.dropout import DropPath, attention_dropout
from jaxseg.layers.embed import PatchEmbed
from jaxseg.layers.layer_scale import layer_scale
from jaxseg.layers.norm import LN, Norm
from jaxseg.layers.relative_position import resize_geometric
from jaxseg.layers.transformer import (
    FFN,
    Linear,
    check_heads,
    dropout_rates,
    truncated_normal,
)
from jaxseg.ops.attention import attention
from jaxseg.ops.narrow import spread
from jaxseg.ops.relative_position import (
    relative_position_bias_with_token,
    relative_position_index_with_token,
)
from jaxseg.weights.key_table import KeyTable

_TABLE = "relative_position_bias_table"
# Of offsets between the class token and the patches, and of the token to itself.
_EXTRA_ROWS = 3
_SHARED_TABLE = f"rel_pos_bias.{_TABLE}"


def _index_tables(beit):
    """The tables of indices in mmseg's files, one a layer."""
    index = relative_position_index_with_token(beit.grid)
    return {
        f"layers.{i}.attn.relative_position_index": index
        for i in range(beit.num_layers)
    }


def _converted(weights, beit):
    """Gives every layer the one table that self-supervised weights have for all."""
    result = dict(weights)
    shared = result.pop(_SHARED_TABLE, None)
    result.pop("rel_pos_bias.relative_position_index", None)
    if shared is not None:
        for i in range(beit.num_layers):
            result.setdefault(f"layers.{i}.attn.{_TABLE}", shared)
    return result


# BEiT's, MAE's and timm's names.
_RENAMES = (
    (r"^patch_embed\.proj\.", "patch_embed.projection."),
    (r"^blocks\.", "layers."),
    (r"^norm\.", "ln1."),
    (r"\.norm(\d)\.", r".ln\1."),
    (r"\.mlp\.fc1\.", ".ffn.layers.0.0."),
    (r"\.mlp\.fc2\.", ".ffn.layers.1."),
)
# Classifiers, what pre-training needs besides, and the norm after the last block.
_UNUSED = ("head.", "fc_norm.", "lm_head.", "mask_token", "decoder_", "ln1.")


class _Attention(nn.Module):
    """Attention with relative position bias, of the tokens of one grid of patches."""

    num_heads: int
    grid: tuple[int, int]
    bias: bool | str
    attn_drop_rate: float

    @nn.compact
    def __call__(self, x, train: bool):
        width = x.shape[-1]
        biases = {}
        if self.bias == "qv_bias":
            for name in ("q_bias", "v_bias"):
                biases[name[0]] = self.param(name, nn.initializers.zeros, (width,))
        rows = math.prod(2 * side - 1 for side in self.grid) + _EXTRA_ROWS
        table = self.param(_TABLE, nn.initializers.zeros, (rows, self.num_heads))
        qkv = Linear(3 * width, self.bias is True, name="qkv")(x)
        parts = dict(zip("qkv", jnp.split(qkv, 3, axis=-1), strict=True))
        parts |= {name: parts[name] + spread(b, x) for name, b in biases.items()}
        q, k, v = (y.reshape(*x.shape[:2], self.num_heads, -1) for y in parts.values())
        drop = attention_dropout(self.attn_drop_rate, train)
        bias = relative_position_bias_with_token(table, self.grid)[None]
        y = attention(q, k, v, drop, bias=bias).reshape(x.shape)
        return Linear(width, name="proj")(y)


class _EncoderLayer(nn.Module):
    """Attention and FFN, each after a norm, scaled by channel, with stochastic depth."""

    num_heads: int
    feedforward_channels: int
    grid: tuple[int, int]
    bias: bool | str
    attn_drop_rate: float
    drop_path_rate: float
    init_values: float
    norm_cfg: Norm
    act_cfg: Act

    @nn.compact
    def __call__(self, x, train: bool):
        y = self.norm_cfg(name="ln1")(x, train)
        y = _Attention(
            self.num_heads, self.grid, self.bias, self.attn_drop_rate, name="attn"
        )(y, train)
        drop_path = DropPath(self.drop_path_rate, name="drop_path")
        x = x + drop_path(layer_scale(self, "gamma_1", self.init_values, y), train)
        y = self.norm_cfg(name="ln2")(x, train)
        y = FFN(self.feedforward_channels, self.act_cfg, name="ffn")(y, 0, train)
        return x + drop_path(layer_scale(self, "gamma_2", self.init_values, y), train)


class BEiTBase(Backbone):
    """A vision transformer with biases of relative positions, for one size of images.

    BEiT and MAE say by `qkv_bias` what has a bias: "qv_bias" (queries and values alone),
    True or False.

    Attributes:
        img_size: (height, width) or side of the images.
        patch_size: side of a patch in pixels.
        embed_dims: channels of a token.
        num_layers: number of blocks.
        num_heads: attention heads.
        mlp_ratio: width of the FFN over embed_dims.
        out_indices: the blocks that are returned; -1 is the last.
        attn_drop_rate, drop_path_rate: the rates of the attention probabilities and of
            the last block's stochastic depth.
        norm_cfg, act_cfg: flavours of the layers.
        patch_norm: norm after the patch projection.
        final_norm: norm after the last block.
        norm_eval: accepted as in mmseg; a layer norm does not change in training.
        init_values: start of the factors of a block's branches.
    """

    img_size: int | tuple[int, int] = 224
    patch_size: int = 16
    embed_dims: int = 768
    num_layers: int = 12
    num_heads: int = 12
    mlp_ratio: int = 4
    out_indices: int | tuple[int, ...] = -1
    attn_drop_rate: float = 0.0
    drop_path_rate: float = 0.0
    norm_cfg: Norm = LN()
    act_cfg: Act = GELU()
    patch_norm: bool = False
    final_norm: bool = False
    norm_eval: bool = False
    init_values: float = 0.1

    key_table = KeyTable(
        renames=_RENAMES,
        unused=_UNUSED,
        buffers=_index_tables,
        convert=_converted,
    )

    def __post_init__(self):
        check_heads(self.embed_dims, self.num_heads)
        chosen_maps(self.out_indices, self.num_layers)
        super().__post_init__()

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        size = self.img_size
        size = (size, size) if isinstance(size, int) else size
        return tuple(side // self.patch_size for side in size)

    def check_size(self, size: tuple[int, int]) -> None:
        """Images of another number of patches are refused."""
        found = tuple(side // self.patch_size for side in size)
        if found != self.grid:
            raise ModelSizeError(
                f"{type(self).__name__}: an image of {size[0]}x{size[1]} has "
                f"{found[0]}x{found[1]} whole patches, and there are relative positions "
                f"for {self.grid[0]}x{self.grid[1]}, those of img_size={self.img_size}"
            )

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, in_channels) -> tuple of (N, h, w, embed_dims)."""
        x = self.tokens(x, train)  # (N, 1 + h * w, C)
        wanted, outs = chosen_maps(self.out_indices, self.num_layers), []
        for i, rate in enumerate(dropout_rates(self.drop_path_rate, self.num_layers)):
            x = _EncoderLayer(
                self.num_heads,
                self.mlp_ratio * self.embed_dims,
                self.grid,
                self.qkv_bias,
                self.attn_drop_rate,
                rate,
                self.init_values,
                self.norm_cfg,
                self.act_cfg,
                name=f"layers.{i}",
            )(x, train)
            if i == self.num_layers - 1 and self.final_norm:
                x = self.norm_cfg(name="ln1")(x, train)
            if i in wanted:
                outs.append(x[:, 1:].reshape(len(x), *self.grid, self.embed_dims))
        return tuple(outs)

    def tokens(self, x, train: bool):
        """The class token and the patches."""
        self.check_size(x.shape[1:3])
        rows, columns = (self.patch_size * side for side in self.grid)
        token = self.param("cls_token", truncated_normal, (1, 1, self.embed_dims))
        x = PatchEmbed(
            self.embed_dims,
            self.patch_size,
            norm_cfg=self.norm_cfg if self.patch_norm else None,
            name="patch_embed",
        )(x[:, :rows, :columns], train)
        x = x.reshape(len(x), -1, self.embed_dims)
        return jnp.concatenate([spread(token, x[:, :1]), x], axis=1)

    def resize_weight(self, key: str, weight: np.ndarray) -> np.ndarray:
        """A stored weight of another shape at this model's size, as mmseg loads it.

        Args:
            key: below the backbone.
            weight: that of a checkpoint. A table of relative positions is taken to be
                of a square image, and is left as it is where this model's is not.

        Returns:
            The table resized by BEiT's rule, anything else unchanged.
        """
        is_table = key.endswith(_TABLE) and weight.ndim == 2
        if not is_table or self.grid[0] != self.grid[1] or len(weight) <= _EXTRA_ROWS:
            return weight
        rows, extra = np.split(weight, [-_EXTRA_ROWS])
        side = math.isqrt(len(rows))
        if side**2 != len(rows) or side == 1:
            return weight
        new = resize_geometric(rows, side, 2 * self.grid[0] - 1)
        return np.concatenate([new, extra])


class BEiT(BEiTBase):
    """BEiT, and of its weights those of one table for all layers, too.

    Attributes:
        qv_bias: biases of q and v; without them neither q, k nor v has one.
    """

    qv_bias: bool = True

    @property
    def qkv_bias(self):
        return "qv_bias" if self.qv_bias else False

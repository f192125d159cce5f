"""DINOv2's Vision Transformer: https://arxiv.org/abs/2304.07193."""

import math
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.backbones.backbone import Backbone, chosen_maps
from jaxseg.errors import FieldError
from jaxseg.layers.activation import GELU, Act
from jaxseg.layers.conv import torch_start
from jaxseg.layers.dinov2_block import DINOv2Block, no_rotation
from jaxseg.layers.embed import PatchEmbed
from jaxseg.layers.embedding import Embedding
from jaxseg.layers.norm import LN, Norm
from jaxseg.layers.position import resize_positions
from jaxseg.layers.remat import remat_if
from jaxseg.layers.transformer import check_heads, truncated_normal
from jaxseg.ops.narrow import spread, wide
from jaxseg.weights.join_weights import join_weights
from jaxseg.weights.key_table import KeyTable


def _converted(weights, part):
    """One weight of what DINOv3 and timm split, and a position of the class token."""
    del part
    result = join_weights(weights, (".mlp.w1.", ".mlp.w2."), ".mlp.w12.")
    for key in weights:
        if key.endswith(".qkv.bias_mask"):
            mask, name = np.asarray(result.pop(key)), key.removesuffix("_mask")
            if name in result and np.shape(result[name]) == mask.shape:
                # What is masked is no number in DINOv3's files.
                result[name] = np.where(mask == 1, np.asarray(result[name]), 0)
    if "pos_embed" in result:
        result["pos_embed"] = with_class_position(result["pos_embed"])
    return result


def with_class_position(table: np.ndarray) -> np.ndarray:
    """A position table (1, patches of a square, C) with one of zeros in front.

    timm's models with registers have added that of the class token to it. A table of
    another shape stays as it is.
    """
    if np.ndim(table) != 3 or math.isqrt(table.shape[1]) ** 2 != table.shape[1]:
        return table
    first = np.zeros_like(table, shape=(1, 1, table.shape[2]))
    return np.concatenate([first, table], axis=1)


_SMALL = nn.initializers.normal(1e-6)

# The original's names are ours, but for those of the patches; timm's and DINOv3's.
KEY_TABLE = KeyTable(
    renames=(
        (r"^patch_embed\.proj\.", "patch_embed.projection."),
        (r"^(reg_token|storage_tokens)$", "register_tokens"),
        (r"^blocks\.\d+\.(\d+)\.", r"blocks.\1."),  # in chunks, for FSDP
        # timm's SwiGLU.
        (r"\.mlp\.fc1\.", ".mlp.w12."),
        (r"\.mlp\.fc2\.", ".mlp.w3."),
    ),
    # Of a model with fewer blocks the others are left out.
    unused=(
        "mask_token",
        "head.",
        "norm.",
        "rope_embed.",
        *(f"blocks.{i}." for i in range(40)),
    ),
    convert=_converted,
)


class DINOv2(Backbone):
    """ViT-S, B, L and g of DINOv2, with or without registers.

    Attributes:
        img_size: (height, width) or side that the position table was made for.
        patch_size: side of a patch in pixels.
        embed_dims: channels of a token.
        num_layers: number of blocks.
        num_heads: attention heads.
        mlp_ratio: width of the FFN over embed_dims; of SwiGLU's two thirds are taken,
            in multiples of 8, as in the original.
        swiglu: whether the FFN is SwiGLU's, as of ViT-g.
        num_register_tokens: tokens beside the class token that stand for no patch.
        out_indices: the blocks that are returned; -1 is the last.
        qkv_bias: whether q, k and v have a bias.
        drop_path_rate: stochastic depth, the same in all blocks.
        init_values: starting value of the factors of a block's branches.
        norm_cfg, act_cfg: flavours of the layers.
        final_norm: whether every map that is returned goes through the last norm.
        interpolate_antialias: smooth the position table where it shrinks, as the models
            with registers do.
        frozen: the weights stay as they are, and no gradient is computed.
        with_cp: compute a block's activations again in the backward pass.
        num_queries: learned tokens that join the others before the last blocks, as
            EoMT's (https://arxiv.org/abs/2503.19108); 0 is without.
        num_query_blocks: how many of the last blocks they pass.
    """

    img_size: int | tuple[int, int] = 518
    patch_size: int = 14
    embed_dims: int = 384
    num_layers: int = 12
    num_heads: int = 6
    mlp_ratio: float = 4.0
    swiglu: bool = False
    num_register_tokens: int = 0
    out_indices: int | tuple[int, ...] = -1
    qkv_bias: bool = True
    drop_path_rate: float = 0.0
    init_values: float = 1.0
    norm_cfg: Norm = LN(eps=1e-6)
    act_cfg: Act = GELU()
    final_norm: bool = True
    interpolate_antialias: bool = False
    frozen: bool = False
    with_cp: bool = False
    num_queries: int = 0
    num_query_blocks: int = 4

    key_table = KEY_TABLE
    fresh_modules = (".query",)

    def __post_init__(self):
        check_heads(self.embed_dims, self.num_heads)
        chosen_maps(self.out_indices, self.num_layers)
        if self.num_queries and self.frozen:
            raise FieldError("frozen: is True, and num_queries are there to be trained")
        if self.num_queries and not 1 <= self.num_query_blocks <= self.num_layers:
            raise FieldError(
                f"num_query_blocks: is {self.num_query_blocks}, allowed: 1 to "
                f"num_layers, {self.num_layers}"
            )
        super().__post_init__()

    @property
    def frozen_modules(self) -> tuple[str, ...]:
        """All of it, where it is frozen."""
        return ("",) if self.frozen else ()

    @nn.compact
    def __call__(
        self,
        x,
        train: bool,
        visible: Callable[[int, jax.Array, jax.Array], jax.Array] | None = None,
    ):
        """Images to maps.

        Args:
            x: (N, H, W, in_channels).
            train: whether stochastic depth is on.
            visible: from the number of one of the last blocks, counted from the first
                of them, and the patches (N, h, w, C) and queries (N, Q, C) before it
                to the patches that a query sees in it, (N, Q, h, w) bool; None: all.

        Returns:
            A tuple of (N, h, w, C), those of `out_indices`. With queries, of the
            patches (N, h, w, C) and queries (N, Q, C) before each of the last blocks,
            if `train` or `visible`, and after them.
        """
        trains = train and not self.frozen
        x, grid = self._tokens(x, train)  # (N, 1 + registers + h * w, C)
        rotate, outs = self.rotation(grid), []
        wanted = chosen_maps(self.out_indices, self.num_layers)
        norm = self.norm_cfg(name="norm") if self.final_norm else _as_it_is
        joined = self.num_layers - self.num_query_blocks if self.num_queries else None
        for i in range(self.num_layers):
            mask = None
            if i == joined:
                x = self._with_queries(x)
            if joined is not None and i >= joined and (train or visible is not None):
                outs.append(self._patches_and_queries(norm(x, train), grid))
                if visible is not None:
                    mask = self._mask(visible(i - joined, *outs[-1]), x)
            x = self._block(f"blocks.{i}", rotate)(x, trains, mask)
            if i in wanted and joined is None:
                outs.append(self._as_map(norm(x, train), grid))
        if joined is not None:
            outs.append(self._patches_and_queries(norm(x, train), grid))
        return tuple(map(jax.lax.stop_gradient, outs) if self.frozen else outs)

    def _with_queries(self, x):
        queries = Embedding(self.num_queries, self.embed_dims, name="query")()
        queries = jnp.broadcast_to(queries.astype(x.dtype), (len(x), *queries.shape))
        return jnp.concatenate([x, queries], axis=1)

    def _patches_and_queries(self, x, grid):
        return self._as_map(x[:, : -self.num_queries], grid), x[:, -self.num_queries :]

    def _mask(self, seen, x):
        """(N, 1, L, L): of all tokens only queries see less, and of patches alone."""
        batch, queries, *_ = seen.shape
        seen = seen.reshape(batch, queries, -1)
        prefix = x.shape[1] - queries - seen.shape[2]
        seen = jnp.pad(seen, ((0, 0), (0, 0), (prefix, queries)), constant_values=True)
        above = ((0, 0), (x.shape[1] - queries, 0), (0, 0))
        return jnp.pad(seen, above, constant_values=True)[:, None]

    def rotation(self, grid: tuple[int, int]) -> Callable[[jax.Array], jax.Array]:
        """What puts the places of (h, w) patches into queries and keys: here nothing."""
        del grid
        return no_rotation

    def _block(self, name, rotate):
        return remat_if(DINOv2Block, self.with_cp)(
            self.num_heads,
            ffn_channels(self.embed_dims, self.mlp_ratio, self.swiglu),
            self.swiglu,
            self.qkv_bias,
            self.key_bias,
            self.drop_path_rate,
            self.init_values,
            self.norm_cfg,
            self.act_cfg,
            rotate,
            name=name,
        )

    @property
    def key_bias(self) -> bool:
        """Whether keys have a bias where queries have one."""
        return True

    def _tokens(self, x, train):
        """The class token, the registers and the patches, with their positions."""
        start = torch_start(self.in_channels * self.patch_size**2)
        x = PatchEmbed(self.embed_dims, self.patch_size, **start, name="patch_embed")(
            x, train
        )
        grid = x.shape[1:3]
        x = x.reshape(len(x), -1, self.embed_dims)
        token = self.param("cls_token", _SMALL, (1, 1, self.embed_dims))
        tokens = jnp.concatenate([spread(token, x[:, :1]), x], axis=1)
        tokens = self.with_positions(tokens, grid)
        if not self.num_register_tokens:
            return tokens, grid
        shape = (1, self.num_register_tokens, self.embed_dims)
        registers = self.param("register_tokens", _SMALL, shape)
        registers = jnp.broadcast_to(registers, (len(x), *shape[1:])).astype(x.dtype)
        return jnp.concatenate([tokens[:, :1], registers, tokens[:, 1:]], 1), grid

    @property
    def _table_grid(self):
        size = self.img_size
        size = (size, size) if isinstance(size, int) else size
        return tuple(side // self.patch_size for side in size)

    def with_positions(self, x: jax.Array, grid: tuple[int, int]) -> jax.Array:
        """The class token and (h, w) patches, with the table's positions added."""
        shape = (1, 1 + math.prod(self._table_grid), self.embed_dims)
        table = self.param("pos_embed", truncated_normal, shape)
        if grid != self._table_grid:
            table = self._resized(table, grid)
        return (wide(x) + table).astype(x.dtype)

    def _resized(self, table, grid):
        if not self.interpolate_antialias:
            return resize_positions(table, self._table_grid, grid, "bicubic")
        patches = table[:, 1:].reshape(1, *self._table_grid, self.embed_dims)
        shape = (1, *grid, self.embed_dims)
        patches = jax.image.resize(patches, shape, "cubic", antialias=True)
        return jnp.concatenate([table[:, :1], patches.reshape(1, -1, shape[-1])], 1)

    def resize_weight(self, key: str, weight: np.ndarray) -> np.ndarray:
        """A stored weight of another shape at this model's size.

        Args:
            key: below the backbone.
            weight: that of a checkpoint. The position table is taken to be of a square
                image.

        Returns:
            The position table resized as for an image, anything else unchanged.
        """
        if key != "pos_embed" or weight.ndim != 3 or weight.shape[1] < 2:
            return weight
        side = math.isqrt(weight.shape[1] - 1)
        return np.asarray(
            resize_positions(weight, (side, side), self._table_grid, "bicubic")
        )

    def _as_map(self, x, grid):
        patches = x[:, 1 + self.num_register_tokens :]
        return patches.reshape(len(x), *grid, self.embed_dims)


def _as_it_is(x, train):
    del train
    return x


def ffn_channels(width: int, ratio: float, swiglu: bool) -> int:
    """The width of an FFN's middle, as the original computes it."""
    hidden = int(width * ratio)
    return (int(hidden * 2 / 3) + 7) // 8 * 8 if swiglu else hidden

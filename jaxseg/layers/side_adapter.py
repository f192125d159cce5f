"""SAN's side adapter: a small ViT beside CLIP's, which proposes masks.

https://arxiv.org/abs/2302.12242
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.errors import FieldError
from jaxseg.layers.activation import GELU
from jaxseg.layers.conv import (
    Conv2d,
    ConvModule,
    caffe2_xavier,
    torch_default_bias,
    torch_start,
)
from jaxseg.layers.embed import PatchEmbed
from jaxseg.layers.norm import LN, Norm
from jaxseg.layers.transformer import (
    Linear,
    TransformerEncoderLayer,
    check_heads,
    truncated_normal,
)
from jaxseg.ops.narrow import spread
from jaxseg.ops.resize import resize
from jaxseg.weights.part import Part

# Side of the images that the table of positions is for.
_TABLE_SIDE = 640


@dataclasses.dataclass(frozen=True)
class AdapterEncoderCfg:
    """`cfg_encoder`: the adapter's transformer.

    Attributes:
        num_encode_layer: number of blocks.
        num_heads: attention heads.
        mlp_ratio: width of the FFN over the tokens'.
    """

    num_encode_layer: int
    num_heads: int
    mlp_ratio: int


@dataclasses.dataclass(frozen=True)
class MaskDecoderCfg:
    """`cfg_decoder`: what makes masks, and what CLIP looks at, of the tokens.

    Attributes:
        num_heads: heads of CLIP's attention, or 1 for all of them.
        num_layers: 1; all of CLIP's last layers look at the same.
        embed_channels, mlp_channels: channels of a mask's embedding, and before it.
        num_mlp: number of layers of each perceptron.
        rescale: whether what CLIP looks at is scaled and shifted.
    """

    num_heads: int = 1
    num_layers: int = 1
    embed_channels: int = 256
    mlp_channels: int = 256
    num_mlp: int = 3
    rescale: bool = False

    def __post_init__(self):
        if self.num_layers != 1:
            raise FieldError(f"num_layers: is {self.num_layers}, allowed: 1")


class SideAdapterNetwork(Part, kw_only=True):
    """A ViT of its own on the image, into which CLIP's maps are added.

    Attributes:
        in_channels: channels of the images.
        clip_channels: channels of CLIP's maps.
        embed_dims: channels of a token.
        patch_size: side of a patch in pixels.
        patch_bias: bias of the patch projection.
        num_queries: number of queries, each of which proposes a mask.
        fusion_index: before which blocks one of CLIP's maps is added: the first ones.
        cfg_encoder, cfg_decoder: the transformer, and what follows.
        norm_cfg: norm of the blocks.
    """

    in_channels: int = 3
    clip_channels: int = 768
    embed_dims: int = 240
    patch_size: int = 16
    patch_bias: bool = True
    num_queries: int = 100
    fusion_index: tuple[int, ...] = (0, 1, 2, 3)
    cfg_encoder: AdapterEncoderCfg
    cfg_decoder: MaskDecoderCfg
    norm_cfg: Norm = LN()

    def __post_init__(self):
        check_heads(self.embed_dims, self.cfg_encoder.num_heads)
        blocks, count = self.cfg_encoder.num_encode_layer, len(self.fusion_index)
        if self.fusion_index != tuple(range(count)) or not 0 < count <= blocks:
            raise FieldError(
                f"fusion_index: is {self.fusion_index}, allowed: 0, 1, 2, ... in a row, "
                f"of {blocks} blocks"
            )
        super().__post_init__()

    @nn.compact
    def __call__(
        self, images: jax.Array, maps: Sequence[jax.Array], wanted: Sequence[int]
    ) -> list[tuple[jax.Array, jax.Array, jax.Array]]:
        """Proposes masks.

        Args:
            images: normalised, (N, H, W, in_channels).
            maps: CLIP's, (N, h, w, clip_channels), one a fusion.
            wanted: numbers of blocks, counted from 1, behind each of which masks are
                proposed, in order.

        Returns:
            Of each, embeddings of the masks (N, Q, D), features (N, H / patch,
            W / patch, D), and what CLIP's heads look at (N, H / patch, W / patch,
            heads, Q).
        """
        if len(maps) != len(self.fusion_index):
            raise FieldError(
                f"san_cfg.fusion_index has {len(self.fusion_index)} entries, and the image "
                f"encoder gives {len(maps)} maps: out_origin and out_indices say which"
            )
        x = PatchEmbed(
            self.embed_dims,
            self.patch_size,
            padding=0,
            bias=self.patch_bias,
            **torch_start(self.in_channels * self.patch_size**2),
            name="patch_embed",
        )(images, False)
        grid = x.shape[1:3]
        shape = (1, self.num_queries, self.embed_dims)
        queries = self.param("query_embed", truncated_normal, shape)
        places = self.param("query_pos_embed", truncated_normal, shape)
        places = jnp.concatenate([places, self._positions(grid)], axis=1)
        x = x.reshape(len(x), -1, self.embed_dims)
        like = jnp.zeros_like(x, shape=(len(x), *shape[1:]))
        x = jnp.concatenate([spread(queries, like), x], axis=1)
        x = x + spread(places, x)
        decode = _MaskDecoder(self.cfg_decoder, name="mask_decoder")
        results = []
        for i in range(self.cfg_encoder.num_encode_layer):
            if i < len(self.fusion_index):
                fused = self._fused(i, maps[i], grid)
                x = x + jnp.pad(fused, ((0, 0), (self.num_queries, 0), (0, 0)))
            x = TransformerEncoderLayer(
                self.cfg_encoder.num_heads,
                self.cfg_encoder.mlp_ratio * self.embed_dims,
                0.0,
                0.0,
                0.0,
                True,
                self.norm_cfg,
                GELU(),
                torch_start(self.embed_dims)["kernel_init"],
                torch_default_bias,
                name=f"encode_layers.{i}",
            )(x, False)
            if i + 1 in wanted:
                pixels = x[:, self.num_queries :].reshape(len(x), *grid, -1)
                results.append(decode(x[:, : self.num_queries], pixels))
            x = x + spread(places, x)
        return results

    def _positions(self, grid):
        """Of the patches, (1, h * w, C); an image of as many patches keeps the table."""
        side = _TABLE_SIDE // self.patch_size
        table = self.param(
            "pos_embed", truncated_normal, (1, side * side, self.embed_dims)
        )
        if side * side == grid[0] * grid[1]:
            return table
        table = table.reshape(1, side, side, -1)
        return resize(table, grid, mode="bicubic").reshape(1, -1, self.embed_dims)

    def _fused(self, i, clip_map, grid):
        x = LN(eps=1e-6)(name=f"conv_clips.{i}.0")(clip_map, False)
        x = ConvModule(
            self.embed_dims,
            1,
            act_cfg=None,
            kernel_init=caffe2_xavier,
            name=f"conv_clips.{i}.1",
        )(x, False)
        return resize(x, grid).reshape(len(x), -1, self.embed_dims)


class _MaskDecoder(nn.Module):
    cfg: MaskDecoderCfg

    @nn.compact
    def __call__(self, queries, pixels):
        """(N, Q, C), (N, h, w, C) -> as an entry of SideAdapterNetwork's results."""
        cfg = self.cfg
        width = cfg.embed_channels
        embeddings = self._perceptron("query_mlp", Linear, width, queries)
        features = self._perceptron("pix_mlp", Conv2d, width, pixels)
        looks = self._perceptron("attn_mlp", Conv2d, width * cfg.num_heads, pixels)
        looks = looks.reshape(*looks.shape[:3], cfg.num_heads, width)
        looks = jnp.einsum("nqc,nhwkc->nhwkq", embeddings, looks)
        if cfg.rescale:
            scaled = Linear(1, **torch_start(1), name="bias_scaling")
            looks = scaled(looks[..., None])[..., 0]
        return embeddings, features, looks

    def _perceptron(self, name: str, layer: Callable[..., Any], width: int, x):
        for i in range(self.cfg.num_mlp):
            is_last = i == self.cfg.num_mlp - 1
            x = layer(
                width if is_last else self.cfg.mlp_channels,
                **torch_start(x.shape[-1]),
                name=f"{name}.layers.{i}",
            )(x)
            x = x if is_last else jax.nn.relu(x)
        return x

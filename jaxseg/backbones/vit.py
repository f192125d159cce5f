"""Vision Transformer: https://arxiv.org/abs/2010.11929."""

import math
import re

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from jaxseg.backbones.backbone import Backbone, chosen_maps
from jaxseg.errors import FieldError
from jaxseg.layers.activation import GELU, Act
from jaxseg.layers.dropout import Dropout
from jaxseg.layers.embed import PatchEmbed, tokens_of
from jaxseg.layers.norm import LN, Norm
from jaxseg.layers.position import positions_of_image, resize_positions
from jaxseg.layers.remat import remat_if
from jaxseg.layers.transformer import (
    TransformerEncoderLayer,
    check_heads,
    dropout_rates,
    truncated_normal,
)
from jaxseg.ops.narrow import spread, wide
from jaxseg.weights.key_table import KeyTable

# https://github.com/google-research/vision_transformer, files of npz
_RENAMES_OF_GOOGLE = (
    (r"^cls$", "cls_token"),
    (r"^Transformer/posembed_input/pos_embedding$", "pos_embed"),
    (r"^embedding/", "patch_embed.projection."),
    (r"^Transformer/encoder_norm/", "ln1."),
    (r"^Transformer/encoderblock_(\d+)/", r"layers.\1."),
    (r"LayerNorm_0/", "ln1."),
    (r"LayerNorm_2/", "ln2."),
    (r"MultiHeadDotProductAttention_1/out/", "attn.attn.out_proj."),
    (r"MultiHeadDotProductAttention_1/", "attn.attn."),
    (r"MlpBlock_3/Dense_0/", "ffn.layers.0.0."),
    (r"MlpBlock_3/Dense_1/", "ffn.layers.1."),
    (r"/", "."),
    (r"\.scale$", ".weight"),
)


def _of_google(weights, vit):
    """Kernels with PyTorch's axes, and queries, keys and values in one weight."""
    result, width = {}, vit.embed_dims
    for key, array in weights.items():
        if key.endswith(".kernel"):
            array = _as_in_torch(array, key.endswith("out_proj.kernel"))
        result[re.sub("kernel$", "weight", key)] = array
    for i in range(vit.num_layers):
        start = f"layers.{i}.attn.attn."
        for leaf, shape in (("weight", (width, width)), ("bias", (width,))):
            keys = [f"{start}{name}.{leaf}" for name in ("query", "key", "value")]
            sizes = {result[key].size for key in keys if key in result}
            if sizes == {math.prod(shape)} and result.keys() >= set(keys):
                parts = [result.pop(key).reshape(shape) for key in keys]
                result[f"{start}in_proj_{leaf}"] = np.concatenate(parts)
    return result


def _as_in_torch(kernel, heads_first):
    """Outputs first: of a patch (h, w, in, out), of a head (in, heads, d) or back."""
    if kernel.ndim == 4:
        return kernel.transpose(3, 2, 0, 1)
    inputs = -1 if heads_first else len(kernel)
    outputs = kernel.shape[-1] if heads_first else -1
    return kernel.reshape(inputs, outputs).T


# timm's and DeiT's names, and those of mmpretrain that differ.
_KEY_TABLE = KeyTable(
    renames=(
        (r"^patch_embed\.proj\.", "patch_embed.projection."),
        (r"^blocks\.", "layers."),
        (r"^norm\.", "ln1."),
        (r"^(norm_pre|pre_norm)\.", "ln_pre."),  # CLIP's, of timm and mmpretrain
        (r"\.norm(\d)\.", r".ln\1."),
        (r"\.attn\.qkv\.", ".attn.attn.in_proj_"),
        (r"\.attn\.proj\.", ".attn.attn.out_proj."),
        (r"\.mlp\.fc1\.", ".ffn.layers.0.0."),
        (r"\.mlp\.fc2\.", ".ffn.layers.1."),
    ),
    # Classifiers, DeiT's token of distillation, the norm after the last block, and
    # the bias that mmseg 1.x has no place for by default.
    unused=(
        "head.",
        "head_dist.",
        "pre_logits.",
        "dist_token",
        "ln1.",
        "patch_embed.projection.bias",
    ),
    fields={
        "patch_bias": "patch_embed.projection.bias",
        "pre_norm": "ln_pre.weight",
    },
    layouts={"embedding/kernel": _RENAMES_OF_GOOGLE},
    convert=_of_google,
)


class VisionTransformer(Backbone):
    """ViT and DeiT.

    Attributes:
        img_size: (height, width) or side that the position table was made for.
        patch_size: side of a patch in pixels.
        patch_pad: how an image is padded to whole patches, `corner` or `same`, or how
            many zeros are added on each side.
        embed_dims: channels of a token.
        num_layers: number of blocks.
        num_heads: attention heads.
        mlp_ratio: width of the FFN over embed_dims.
        out_origin: also return the tokens before the first block.
        out_indices: the blocks that are returned; -1 is the last.
        qkv_bias: whether q, k, v and the projection after them have a bias.
        drop_rate, attn_drop_rate, drop_path_rate: the rates of the tokens and
            projections, the attention probabilities, and the last block's stochastic
            depth.
        with_cls_token: whether the blocks see the class token.
        output_cls_token: return (map, class token) in place of each map.
        norm_cfg, act_cfg: flavours of the layers.
        patch_norm: norm after the patch projection.
        patch_bias: bias of the patch projection. mmseg 0.x and the ImageNet weights
            have it, mmseg 1.x by default drops it. For inference, a config that does
            not say it takes it from the checkpoint.
        pre_norm: norm before the first block.
        final_norm: norm after the last block.
        interpolate_mode: the interpolation of the position table, where the number of
            tokens differs.
        norm_eval: accepted as in mmseg; a layer norm does not change in training.
        with_cp: compute a block's activations again in the backward pass.
        frozen_exclude: texts in the keys of the parameters that training changes; of
            `all` every one.
    """

    img_size: int | tuple[int, int] = 224
    patch_size: int = 16
    patch_pad: int | str = "corner"
    embed_dims: int = 768
    num_layers: int = 12
    num_heads: int = 12
    mlp_ratio: int = 4
    out_origin: bool = False
    out_indices: int | tuple[int, ...] = -1
    qkv_bias: bool = True
    drop_rate: float = 0.0
    attn_drop_rate: float = 0.0
    drop_path_rate: float = 0.0
    with_cls_token: bool = True
    output_cls_token: bool = False
    norm_cfg: Norm = LN()
    act_cfg: Act = GELU()
    patch_norm: bool = False
    patch_bias: bool = False
    pre_norm: bool = False
    final_norm: bool = False
    interpolate_mode: str = "bicubic"
    norm_eval: bool = False
    with_cp: bool = False
    frozen_exclude: tuple[str, ...] = ("all",)

    takes_padding = True

    key_table = _KEY_TABLE

    def __post_init__(self):
        if self.output_cls_token and not self.with_cls_token:
            raise FieldError("output_cls_token=True needs with_cls_token=True")
        check_heads(self.embed_dims, self.num_heads)
        chosen_maps(self.out_indices, self.num_layers)
        super().__post_init__()

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, in_channels) -> tuple of (N, h, w, embed_dims).

        With output_cls_token of ((N, h, w, embed_dims), (N, embed_dims)).
        """
        x = PatchEmbed(
            self.embed_dims,
            self.patch_size,
            padding=self.patch_pad,
            bias=self.patch_bias,
            norm_cfg=self.norm_cfg if self.patch_norm else None,
            name="patch_embed",
        )(x, train)
        grid = x.shape[1:3]
        x = tokens_of(x, before=int(self.with_cls_token))  # (N, h * w, C)
        cls_token = self.param("cls_token", truncated_normal, (1, 1, self.embed_dims))
        x = jnp.concatenate([spread(cls_token, x[:, :1]), x], axis=1)
        x = (wide(x) + self._positions(grid)).astype(x.dtype)
        x = Dropout(self.drop_rate, name="drop_after_pos")(x, train)
        if not self.with_cls_token:
            x = x[:, 1:]
        if self.pre_norm:
            x = self.norm_cfg(name="ln_pre")(x, train)
        wanted = chosen_maps(self.out_indices, self.num_layers)
        outs = [self._as_map(x, grid)] if self.out_origin else []
        rates = dropout_rates(self.drop_path_rate, self.num_layers)
        for i, rate in enumerate(rates):
            x = remat_if(TransformerEncoderLayer, self.with_cp)(
                self.num_heads,
                self.mlp_ratio * self.embed_dims,
                self.drop_rate,
                self.attn_drop_rate,
                rate,
                self.qkv_bias,
                self.norm_cfg,
                self.act_cfg,
                name=f"layers.{i}",
            )(x, train)
            if i == self.num_layers - 1 and self.final_norm:
                x = self.norm_cfg(name="ln1")(x, train)
            if i in wanted:
                outs.append(self._as_map(x, grid))
        return tuple(outs)

    @property
    def _table_grid(self):
        size = self.img_size
        size = (size, size) if isinstance(size, int) else size
        return tuple(side // self.patch_size for side in size)

    def _positions(self, grid):
        rows, columns = self._table_grid
        table = self.param(
            "pos_embed", truncated_normal, (1, rows * columns + 1, self.embed_dims)
        )
        mode = self.interpolate_mode
        return positions_of_image(table, (rows, columns), grid, mode)

    def resize_weight(self, key: str, weight: np.ndarray) -> np.ndarray:
        """A stored weight of another shape at this model's size, as mmseg loads it.

        Args:
            key: below the backbone.
            weight: that of a checkpoint. The position table is taken to be of a square
                image; a second token before its patches (DeiT's, of distillation) is
                dropped.

        Returns:
            The position table resized by `interpolate_mode`, anything else unchanged.
        """
        if key != "pos_embed" or weight.ndim != 3 or weight.shape[1] < 2:
            return weight
        side = math.isqrt(weight.shape[1] - 1)
        return np.asarray(
            resize_positions(
                weight, (side, side), self._table_grid, self.interpolate_mode
            )
        )

    def _as_map(self, x, grid):
        tokens = x[:, 1:] if self.with_cls_token else x
        features = tokens.reshape(x.shape[0], *grid, self.embed_dims)
        return (features, x[:, 0]) if self.output_cls_token else features

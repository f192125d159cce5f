"""Segmenter's mask transformer: https://arxiv.org/abs/2105.05633."""

import flax.linen as nn
import jax.numpy as jnp

from jaxseg.errors import FieldError
from jaxseg.heads.decode_head import BaseDecodeHead
from jaxseg.layers.activation import GELU, Act
from jaxseg.layers.embed import tokens_of
from jaxseg.layers.norm import LN, Norm
from jaxseg.layers.transformer import (
    Linear,
    TransformerEncoderLayer,
    check_heads,
    dropout_rates,
    zero_bias,
)
from jaxseg.ops.narrow import wide


class SegmenterMaskTransformerHead(BaseDecodeHead, kw_only=True):
    """Tokens of patches and classes in ViT's blocks; the logits are their products.

    It has no dropout before the logits: `dropout_ratio` is accepted as in mmseg.

    Attributes:
        num_layers: number of blocks.
        num_heads: attention heads.
        embed_dims: channels of a token.
        mlp_ratio: width of the FFN over embed_dims.
        drop_path_rate, drop_rate, attn_drop_rate: the rates of the last block's
            stochastic depth, the projections, and the attention probabilities.
        qkv_bias: whether q, k, v and the projection after them have a bias.
        norm_cfg, act_cfg: flavours of the layers.
        init_std: the deviation of the starting values.
    """

    num_layers: int
    num_heads: int
    embed_dims: int
    mlp_ratio: int = 4
    drop_path_rate: float = 0.1
    drop_rate: float = 0.0
    attn_drop_rate: float = 0.0
    qkv_bias: bool = True
    norm_cfg: Norm = LN()
    act_cfg: Act = GELU()
    init_std: float = 0.02

    takes_padding = True

    def __post_init__(self):
        check_heads(self.embed_dims, self.num_heads)
        super().__post_init__()
        if self.out_channels != self.num_classes:
            raise FieldError(
                f"out_channels is {self.out_channels}, allowed: num_classes "
                f"({self.num_classes}), of which each has a token"
            )

    @nn.compact
    def __call__(self, inputs, train: bool):
        x = self.transform_inputs(inputs)
        n, *grid, _ = x.shape
        x = self._linear("dec_proj")(tokens_of(x, before=self.num_classes))
        shape = (1, self.num_classes, self.embed_dims)
        classes = self.param("cls_emb", self._start, shape)
        classes = jnp.broadcast_to(classes, (n, *shape[1:])).astype(x.dtype)
        # mmseg puts the classes behind the patches; no token's number is of account.
        x = self._blocks(jnp.concatenate([classes, x], axis=1), train)
        classes, patches = jnp.split(x, [self.num_classes], axis=1)
        classes = _unit(self._linear("classes_proj", bias=False)(classes))
        patches = _unit(self._linear("patch_proj", bias=False)(patches))
        masks = jnp.einsum("nlc,nkc->nlk", patches, classes)
        masks = self.norm_cfg(name="mask_norm")(masks, train)
        return masks.reshape(n, *grid, self.num_classes)

    def _blocks(self, x, train):
        rates = dropout_rates(self.drop_path_rate, self.num_layers)
        for i, rate in enumerate(rates):
            x = TransformerEncoderLayer(
                self.num_heads,
                self.mlp_ratio * self.embed_dims,
                self.drop_rate,
                self.attn_drop_rate,
                rate,
                self.qkv_bias,
                self.norm_cfg,
                self.act_cfg,
                self._start,
                zero_bias,
                name=f"layers.{i}",
            )(x, train)
        return self.norm_cfg(name="decoder_norm")(x, train)

    @property
    def _start(self):
        return nn.initializers.normal(self.init_std)

    def _linear(self, name, bias=True):
        return Linear(self.embed_dims, bias, self._start, name=name)


def _unit(x):
    """Tokens (N, L, C) of length 1."""
    length = jnp.linalg.norm(wide(x), axis=-1, keepdims=True)
    return (wide(x) / jnp.maximum(length, 1e-12)).astype(x.dtype)

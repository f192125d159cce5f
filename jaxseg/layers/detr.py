"""DETR's transformer decoder, with mmdet's names: https://arxiv.org/abs/2005.12872."""

import dataclasses

import flax.linen as nn
import jax.numpy as jnp

from jaxseg.errors import FieldError
from jaxseg.layers.activation import Act, ReLU
from jaxseg.layers.conv import torch_default_bias
from jaxseg.layers.norm import LN, Norm
from jaxseg.layers.transformer import FFN, MultiheadAttention
from jaxseg.ops.narrow import spread, wide

_xavier = nn.initializers.xavier_uniform()


@dataclasses.dataclass(frozen=True)
class AttentionCfg:
    """`self_attn_cfg` and `cross_attn_cfg` of a layer.

    Attributes:
        embed_dims: width of the queries.
        num_heads: heads of the attention.
        attn_drop, proj_drop: dropout rates of the probabilities and of the result.
        dropout_layer: None; a further dropout of the result is not there.
        batch_first: True, as the layers take (N, L, C).
    """

    embed_dims: int = 256
    num_heads: int = 8
    attn_drop: float = 0.0
    proj_drop: float = 0.0
    dropout_layer: None = None
    batch_first: bool = True

    def __post_init__(self):
        if self.embed_dims % self.num_heads:
            raise FieldError(
                f"num_heads: {self.num_heads} does not divide embed_dims, "
                f"{self.embed_dims}"
            )
        if not self.batch_first:
            raise FieldError("batch_first is False, allowed: True")

    def __call__(
        self, name: str, kernel_init: nn.initializers.Initializer = _xavier
    ) -> nn.Module:
        """The layer, whose kernels start with these values."""
        return MultiheadAttention(
            self.num_heads,
            attn_drop=self.attn_drop,
            proj_drop=self.proj_drop,
            in_init=kernel_init,
            out_init=kernel_init,
            name=name,
        )


@dataclasses.dataclass(frozen=True)
class FFNCfg:
    """`ffn_cfg` of a layer.

    Attributes:
        embed_dims: width of the queries.
        feedforward_channels: width between the two linear layers.
        num_fcs: 2, the number of linear layers.
        act_cfg: activation between them.
        ffn_drop: dropout rate after either.
        dropout_layer: None, as of `AttentionCfg`.
        add_identity: True: the queries are added to the result.
    """

    embed_dims: int = 256
    feedforward_channels: int = 1024
    num_fcs: int = 2
    act_cfg: Act = ReLU()
    ffn_drop: float = 0.0
    dropout_layer: None = None
    add_identity: bool = True

    def __post_init__(self):
        if self.num_fcs != 2 or not self.add_identity:
            raise FieldError(
                f"num_fcs is {self.num_fcs} and add_identity {self.add_identity}, "
                "allowed: 2 and True"
            )

    def __call__(
        self, name: str, kernel_init: nn.initializers.Initializer = _xavier
    ) -> nn.Module:
        """The layer, whose kernels start with these values."""
        return FFN(
            self.feedforward_channels,
            self.act_cfg,
            self.ffn_drop,
            kernel_init=kernel_init,
            bias_init=torch_default_bias,
            name=name,
        )


@dataclasses.dataclass(frozen=True)
class DetrDecoderLayerCfg:
    """`layer_cfg` of the decoder: self-attention, cross-attention and FFN.

    Attributes:
        self_attn_cfg, cross_attn_cfg, ffn_cfg: the three parts.
        norm_cfg: norm after each of them.
    """

    self_attn_cfg: AttentionCfg = AttentionCfg()
    cross_attn_cfg: AttentionCfg = AttentionCfg()
    ffn_cfg: FFNCfg = FFNCfg()
    norm_cfg: Norm = LN()


@dataclasses.dataclass(frozen=True)
class DetrDecoderCfg:
    """`transformer_decoder` of a head.

    Attributes:
        num_layers: number of layers.
        layer_cfg: each of them.
        post_norm_cfg: norm of what the decoder gives.
        return_intermediate: whether it gives the queries after every layer, or only
            those after the last.
    """

    num_layers: int
    layer_cfg: DetrDecoderLayerCfg = DetrDecoderLayerCfg()
    post_norm_cfg: Norm = LN()
    return_intermediate: bool = True

    @property
    def embed_dims(self) -> int:
        """Width of the queries."""
        return self.layer_cfg.self_attn_cfg.embed_dims


class DetrTransformerDecoder(nn.Module):
    """Queries that look at each other and at a memory, layer after layer."""

    cfg: DetrDecoderCfg

    @nn.compact
    def __call__(self, queries, memory, query_pos, key_pos, train: bool):
        """Decodes.

        Args:
            queries: (N, L, C).
            memory: (N, M, C), what they look at.
            query_pos, key_pos: added to queries and keys wherever those are compared,
                broadcast to (N, L, C) and (N, M, C).
            train: whether dropout is on.

        Returns:
            (N, layers, L, C) of every layer, or (N, 1, L, C) of the last.
        """
        norm = self.cfg.post_norm_cfg(name="post_norm")
        results = []
        for i in range(self.cfg.num_layers):
            layer = _DecoderLayer(self.cfg.layer_cfg, name=f"layers.{i}")
            queries = layer(queries, memory, query_pos, key_pos, train)
            results.append(norm(queries, train))
        if not self.cfg.return_intermediate:
            results = results[-1:]
        return jnp.stack(results, axis=1)


class _DecoderLayer(nn.Module):
    cfg: DetrDecoderLayerCfg

    @nn.compact
    def __call__(self, x, memory, query_pos, key_pos, train: bool):
        cfg = self.cfg
        query_pos = spread(query_pos, x)
        q = x + query_pos
        x = cfg.self_attn_cfg(name="self_attn")(q, x, train, q, x)
        x = cfg.norm_cfg(name="norms.0")(x, train)
        key = (wide(memory) + key_pos).astype(memory.dtype)
        attend = cfg.cross_attn_cfg(name="cross_attn")
        x = attend(x + query_pos, x, train, key, memory)
        x = cfg.norm_cfg(name="norms.1")(x, train)
        x = cfg.ffn_cfg(name="ffn")(x, x, train)
        return cfg.norm_cfg(name="norms.2")(x, train)

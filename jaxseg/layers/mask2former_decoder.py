"""Mask2Former's transformer decoder: queries see what their own masks cover.

https://arxiv.org/abs/2112.01527
"""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.layers.conv import xavier_normal
from jaxseg.layers.detr import DetrDecoderCfg, DetrDecoderLayerCfg
from jaxseg.ops.narrow import spread, wide


class Mask2FormerTransformerDecoder(nn.Module):
    """Masked attention to the maps of a pyramid, layer after layer, in turn."""

    cfg: DetrDecoderCfg

    @nn.compact
    def __call__(
        self,
        queries: jax.Array,
        memories: Sequence[jax.Array],
        query_pos: jax.Array,
        key_pos: Sequence[jax.Array],
        visible: Callable[[jax.Array, int], jax.Array],
        train: bool,
    ) -> jax.Array:
        """Decodes.

        Args:
            queries: (N, L, C).
            memories: of each map its pixels (N, M, C).
            query_pos: (L, C), added to queries wherever they are compared.
            key_pos: of each map (M, C), added to the keys.
            visible: from queries after the last norm (N, L, C) and the number of a map
                to the pixels that each query sees of it, (N, 1, L, M) bool.
            train: whether dropout is on.

        Returns:
            (N, layers + 1, L, C): the queries after the last norm, as they come and
            after every layer.
        """
        norm = self.cfg.post_norm_cfg(name="post_norm")
        results = [norm(queries, train)]
        for i in range(self.cfg.num_layers):
            level = i % len(memories)
            queries = _DecoderLayer(self.cfg.layer_cfg, name=f"layers.{i}")(
                queries,
                memories[level],
                query_pos,
                key_pos[level],
                visible(results[-1], level),
                train,
            )
            results.append(norm(queries, train))
        return jnp.stack(results, axis=1)


class _DecoderLayer(nn.Module):
    """DETR's layer with attention to the memory before that to the other queries."""

    cfg: DetrDecoderLayerCfg

    @nn.compact
    def __call__(self, x, memory, query_pos, key_pos, visible, train: bool):
        cfg = self.cfg
        query_pos = spread(query_pos, x)
        key = (wide(memory) + key_pos).astype(memory.dtype)
        attend = cfg.cross_attn_cfg("cross_attn", xavier_normal)
        x = attend(x + query_pos, x, train, key, memory, mask=visible)
        x = cfg.norm_cfg(name="norms.0")(x, train)
        q = x + query_pos
        x = cfg.self_attn_cfg("self_attn", xavier_normal)(q, x, train, q, x)
        x = cfg.norm_cfg(name="norms.1")(x, train)
        x = cfg.ffn_cfg("ffn", xavier_normal)(x, x, train)
        return cfg.norm_cfg(name="norms.2")(x, train)

"""Attention and the two-layer network of a transformer block, with mmcv's names."""

import functools
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from jaxseg.layers.activation import Act
from jaxseg.layers.dropout import Dropout, DropPath
from jaxseg.ops.attention import attention
from jaxseg.ops.linear import linear

# timm's and mmseg's trunc_normal_(std=0.02) cuts at -2 and 2, a hundred deviations
# away. (Flax's truncated_normal would cut at two, which leaves a deviation of 0.0176.)
truncated_normal = nn.initializers.normal(0.02)


class Linear(nn.Module):
    """x @ kernel, plus the bias if there is one, over the last axis in x's dtype."""

    features: int
    bias: bool = True
    kernel_init: Any = truncated_normal
    bias_init: Any = nn.initializers.zeros

    @nn.compact
    def __call__(self, x):
        shape = (x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape).astype(x.dtype)
        x = linear(x, kernel)
        if self.bias:
            bias = self.param("bias", self.bias_init, (self.features,))
            x = x + bias.astype(x.dtype)
        return x


class _Attention(nn.Module):
    """torch's nn.MultiheadAttention for self-attention, batch first."""

    num_heads: int
    bias: bool
    attn_drop: float

    @nn.compact
    def __call__(self, x, train: bool):
        n, length, width = x.shape
        # torch keeps q, k and v in one parameter, outputs first.
        xavier = nn.initializers.xavier_uniform(in_axis=1, out_axis=0)
        weight = self.param("in_proj_weight", xavier, (3 * width, width))
        qkv = linear(x, weight.T.astype(x.dtype))
        if self.bias:
            bias = self.param("in_proj_bias", nn.initializers.zeros, (3 * width,))
            qkv = qkv + bias.astype(x.dtype)
        heads = (n, length, self.num_heads, width // self.num_heads)
        q, k, v = (part.reshape(heads) for part in jnp.split(qkv, 3, axis=-1))
        drop = None
        if train and self.attn_drop > 0:
            dropout = Dropout(self.attn_drop, name="attn_drop")
            drop = functools.partial(dropout, train=train)
        y = attention(q, k, v, drop)
        return Linear(width, self.bias, name="out_proj")(y.reshape(x.shape))


class MultiheadAttention(nn.Module):
    """mmcv's MultiheadAttention: attention, dropout, and the sum with `identity`.

    Attributes:
        num_heads: divides the width of x.
        bias: whether q, k and v have a bias, and with them, as in torch, the output
            projection.
        attn_drop: dropout rate of the attention probabilities.
        proj_drop: dropout rate of the result.
    """

    num_heads: int
    bias: bool = True
    attn_drop: float = 0.0
    proj_drop: float = 0.0

    @nn.compact
    def __call__(self, x, identity, train: bool):
        """(N, L, C), (N, L, C) -> (N, L, C)."""
        y = _Attention(self.num_heads, self.bias, self.attn_drop, name="attn")(x, train)
        return identity + Dropout(self.proj_drop, name="proj_drop")(y, train)


class FFN(nn.Module):
    """mmcv's FFN: two linear layers, dropout, stochastic depth, and the sum.

    Attributes:
        feedforward_channels: width of the middle.
        act_cfg: activation between the layers.
        ffn_drop: dropout rate after either layer.
        drop_path: probability that a sample skips the branch.
    """

    feedforward_channels: int
    act_cfg: Act
    ffn_drop: float = 0.0
    drop_path: float = 0.0

    @nn.compact
    def __call__(self, x, identity, train: bool):
        """(N, L, C), (N, L, C) -> (N, L, C)."""
        tiny = nn.initializers.normal(1e-6)
        hidden = Linear(self.feedforward_channels, bias_init=tiny, name="layers.0.0")(x)
        hidden = self.act_cfg(name="layers.0.1")(hidden)
        hidden = Dropout(self.ffn_drop, name="layers.0.2")(hidden, train)
        y = Linear(x.shape[-1], bias_init=tiny, name="layers.1")(hidden)
        y = Dropout(self.ffn_drop, name="layers.2")(y, train)
        return identity + DropPath(self.drop_path, name="dropout_layer")(y, train)


def dropout_rates(rate: float, depth: int) -> list[float]:
    """Stochastic depth grows linearly from 0 to `rate` over the blocks."""
    return [rate * i / max(depth - 1, 1) for i in range(depth)]

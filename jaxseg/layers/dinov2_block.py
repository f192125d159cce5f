"""DINOv2's block: attention and FFN with layer scale, or SwiGLU. arXiv 2304.07193."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.layers.activation import GELU, Act
from jaxseg.layers.dropout import DropPath
from jaxseg.layers.layer_scale import layer_scale
from jaxseg.layers.norm import LN, Norm
from jaxseg.layers.transformer import Linear, truncated_normal
from jaxseg.ops.attention import attention
from jaxseg.ops.linear import linear
from jaxseg.ops.narrow import spread


class _QueriesKeysValues(nn.Module):
    """A linear layer to queries, keys and values; the keys' bias may be left out."""

    bias: bool
    key_bias: bool

    @nn.compact
    def __call__(self, x):
        """(N, L, C) -> three of (N, L, C)."""
        width = x.shape[-1]
        kernel = self.param("kernel", truncated_normal, (width, 3 * width))
        parts = jnp.split(linear(x, kernel.astype(x.dtype)), 3, axis=-1)
        if not self.bias:
            return parts
        bias = self.param("bias", nn.initializers.zeros, (3 * width,))
        biases = jnp.split(bias, 3)
        if not self.key_bias:
            biases[1] = jnp.zeros_like(biases[1])
        return [part + spread(b, part) for part, b in zip(parts, biases, strict=True)]


class _Attention(nn.Module):
    num_heads: int
    qkv_bias: bool
    key_bias: bool
    rotate: Callable[[jax.Array], jax.Array]

    @nn.compact
    def __call__(self, x, mask):
        parts = _QueriesKeysValues(self.qkv_bias, self.key_bias, name="qkv")(x)
        q, k, v = (y.reshape(*x.shape[:2], self.num_heads, -1) for y in parts)
        y = attention(self.rotate(q), self.rotate(k), v, mask=mask).reshape(x.shape)
        return Linear(x.shape[-1], name="proj")(y)


class _FFN(nn.Module):
    """Two linear layers, or SwiGLU's three. https://arxiv.org/abs/2002.05202"""

    channels: int
    is_swiglu: bool
    act_cfg: Act

    @nn.compact
    def __call__(self, x):
        if self.is_swiglu:
            gate, up = jnp.split(Linear(2 * self.channels, name="w12")(x), 2, axis=-1)
            return Linear(x.shape[-1], name="w3")(jax.nn.silu(gate) * up)
        y = self.act_cfg(name="act")(Linear(self.channels, name="fc1")(x))
        return Linear(x.shape[-1], name="fc2")(y)


def no_rotation(x: jax.Array) -> jax.Array:
    """What a block without rotary positions does with queries and keys: nothing."""
    return x


class DINOv2Block(nn.Module):
    """Two branches, each after a norm, scaled by channel, with stochastic depth.

    Attributes:
        num_heads: attention heads.
        ffn_channels: width of the FFN's middle.
        is_swiglu: whether the FFN is SwiGLU's.
        qkv_bias: whether queries, keys and values have a bias.
        key_bias: whether the keys have one, too.
        drop_path_rate: probability that a sample skips a branch.
        init_values: starting value of the factors of a branch's channels.
        norm_cfg, act_cfg: flavours of the layers.
        rotate: puts positions into queries and keys, (N, L, heads, d). A field, since
            rematerialisation takes arrays alone as arguments.
    """

    num_heads: int
    ffn_channels: int
    is_swiglu: bool = False
    qkv_bias: bool = True
    key_bias: bool = True
    drop_path_rate: float = 0.0
    init_values: float = 1.0
    norm_cfg: Norm = LN(eps=1e-6)
    act_cfg: Act = GELU()
    rotate: Callable[[jax.Array], jax.Array] = no_rotation

    @nn.compact
    def __call__(
        self, x: jax.Array, train: bool, mask: jax.Array | None = None
    ) -> jax.Array:
        """Tokens (N, L, C) -> (N, L, C).

        Args:
            x: the tokens.
            train: whether samples skip branches.
            mask: which tokens a token sees, (N, 1, L, L) bool; None: all.
        """
        y = self.norm_cfg(name="norm1")(x, train)
        attend = _Attention(
            self.num_heads, self.qkv_bias, self.key_bias, self.rotate, name="attn"
        )
        y = attend(y, mask)
        x = x + self._scaled(1, y, train)
        y = self.norm_cfg(name="norm2")(x, train)
        y = _FFN(self.ffn_channels, self.is_swiglu, self.act_cfg, name="mlp")(y)
        return x + self._scaled(2, y, train)

    def _scaled(self, i, y, train):
        y = layer_scale(self, f"ls{i}.gamma", self.init_values, y)
        return DropPath(self.drop_path_rate, name=f"drop_path{i}")(y, train)

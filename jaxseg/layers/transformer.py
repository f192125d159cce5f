"""Attention and the two-layer network of a transformer block, with mmcv's names."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from jaxseg.errors import FieldError
from jaxseg.layers.activation import Act
from jaxseg.layers.conv import Conv2d
from jaxseg.layers.dropout import Dropout, DropPath, attention_dropout
from jaxseg.layers.norm import LN, Norm
from jaxseg.ops.attention import attention
from jaxseg.ops.context import pixel_attention
from jaxseg.ops.linear import linear
from jaxseg.ops.narrow import spread
from jaxseg.ops.padded.valid_size import maps_apart

# timm's and mmseg's trunc_normal_(std=0.02) cuts at -2 and 2, a hundred deviations
# away. (Flax's truncated_normal would cut at two, which leaves a deviation of 0.0176.)
truncated_normal = nn.initializers.normal(0.02)


def _tiny_normal(fan_in):
    """The starting values that mmseg's ViT gives the biases of its FFN."""
    del fan_in
    return nn.initializers.normal(1e-6)


def check_heads(embed_dims: int, num_heads: int) -> None:
    """Raises FieldError where the channels of a token are not heads of one width."""
    if embed_dims % num_heads:
        raise FieldError(
            f"embed_dims is {embed_dims}, which num_heads={num_heads} must divide"
        )


def zero_bias(fan_in: int) -> Any:
    """The starting values of an FFN's biases that begin with 0, as `FFN.bias_init`."""
    del fan_in
    return nn.initializers.zeros


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
            x = x + spread(bias, x)
        return x


# Of the projections of an attention, which torch keeps with the outputs first: the sum
# of both numbers counts.
_xavier = nn.initializers.xavier_uniform()


class _Attention(nn.Module):
    """torch's nn.MultiheadAttention, batch first; of tokens or of the pixels of maps."""

    num_heads: int
    bias: bool
    attn_drop: float
    in_init: Any
    out_init: Any

    @nn.compact
    def __call__(self, q, k, v, train: bool, scores_bias=None, mask=None):
        width = q.shape[-1]
        q, k, v = self._projected(q, k, v)
        drop = attention_dropout(self.attn_drop, train)
        if q.ndim == 4:
            y = pixel_attention(q, k, v, heads=self.num_heads, drop=drop)
        else:
            q, k, v = (x.reshape(*x.shape[:2], self.num_heads, -1) for x in (q, k, v))
            y = attention(q, k, v, drop, bias=scores_bias, mask=mask)
            y = y.reshape(*y.shape[:2], width)
        return Linear(width, self.bias, self.out_init, name="out_proj")(y)

    def _projected(self, q, k, v):
        """Queries, keys and values of q's width."""
        width = q.shape[-1]
        bias = None
        if self.bias:
            bias = self.param("in_proj_bias", nn.initializers.zeros, (3 * width,))
        if not k.shape[-1] == v.shape[-1] == width:
            weights = [
                self.param(f"{name}_proj_weight", self.in_init, (width, x.shape[-1]))
                for name, x in (("q", q), ("k", k), ("v", v))
            ]
        else:
            weight = self.param("in_proj_weight", self.in_init, (3 * width, width))
            if q is k is v:
                return jnp.split(_project(q, weight, bias), 3, axis=-1)
            if k is v:
                weights = jnp.split(weight, [width])
                biases = [None] * 2 if bias is None else jnp.split(bias, [width])
                q, both = map(_project, (q, k), weights, biases)
                return q, *jnp.split(both, 2, axis=-1)
            weights = jnp.split(weight, 3)
        biases = [None] * 3 if bias is None else jnp.split(bias, 3)
        return map(_project, (q, k, v), weights, biases)


def _project(x, weight, bias):
    x = linear(x, weight.T.astype(x.dtype))
    return x if bias is None else x + spread(bias, x)


class MultiheadAttention(nn.Module):
    """mmcv's MultiheadAttention: attention, dropout, and the sum with `identity`.

    Its tokens are (N, L, C), or the pixels of maps (N, H, W, C), without a bias of the
    scores or a mask.

    Attributes:
        num_heads: divides the width of x.
        bias: whether q, k and v have a bias, and with them, as in torch, the output
            projection.
        attn_drop: dropout rate of the attention probabilities.
        proj_drop: dropout rate of the result.
        out_init: starting values of the output projection's kernel.
        drop_path: probability that a sample skips the branch.
        in_init: starting values of the weights of q, k and v, which torch keeps with the
            outputs first.
    """

    num_heads: int
    bias: bool = True
    attn_drop: float = 0.0
    proj_drop: float = 0.0
    out_init: Any = truncated_normal
    drop_path: float = 0.0
    in_init: Any = _xavier

    @nn.compact
    def __call__(
        self, x, identity, train: bool, k=None, v=None, scores_bias=None, mask=None
    ):
        """What x sees of k, added to `identity`.

        Args:
            x: (N, L, C), the queries.
            identity: (N, L, C).
            train: whether dropout is on.
            k, v: (N, M, C_k) and (N, M, C_v) of any widths; None: x, and k.
            scores_bias: added to the scores before the softmax, broadcast to
                (N, heads, L, M).
            mask: which keys a query sees, bool, broadcast to (N, heads, L, M).

        Returns:
            (N, L, C).
        """
        k = x if k is None else k
        v = k if v is None else v
        attend = _Attention(
            self.num_heads,
            self.bias,
            self.attn_drop,
            self.in_init,
            self.out_init,
            name="attn",
        )
        y = attend(x, k, v, train, scores_bias, mask)
        y = Dropout(self.proj_drop, name="proj_drop")(y, train)
        return identity + DropPath(self.drop_path, name="dropout_layer")(y, train)


class EfficientMultiheadAttention(MultiheadAttention, kw_only=True):
    """SegFormer's attention of a map's pixels over fewer keys, with mmseg's names.

    The keys and values are those of the map after a convolution of stride `sr_ratio`
    and a norm (PVT's spatial reduction). https://arxiv.org/abs/2105.15203

    Attributes:
        sr_ratio: how many pixels a key stands for, along either axis.
        norm_cfg: norm of the reduced map.
        The others are MultiheadAttention's.
    """

    sr_ratio: int = 1
    norm_cfg: Norm = LN()

    @nn.compact
    def __call__(self, x, identity, train: bool):
        """(N, H, W, C), (N, H, W, C) or 0 -> (N, H, W, C)."""
        with maps_apart(x):
            keys = x
            if self.sr_ratio > 1:
                side = self.sr_ratio
                keys = Conv2d(x.shape[-1], side, side, name="sr")(x)
                keys = self.norm_cfg(name="norm")(keys, train)
            return super().__call__(x, identity, train, keys)


class FFN(nn.Module):
    """mmcv's FFN: two linear layers, dropout, stochastic depth, and the sum.

    Attributes:
        feedforward_channels: width of the middle.
        act_cfg: activation between the layers.
        ffn_drop: dropout rate after either layer.
        drop_path: probability that a sample skips the branch.
        kernel_init: starting values of the kernels.
        bias_init: from a layer's number of inputs to the starting values of its bias.
    """

    feedforward_channels: int
    act_cfg: Act
    ffn_drop: float = 0.0
    drop_path: float = 0.0
    kernel_init: Any = truncated_normal
    bias_init: Any = _tiny_normal

    @nn.compact
    def __call__(self, x, identity, train: bool):
        """(N, ..., C), (N, ..., C) or 0 -> (N, ..., C)."""
        width = x.shape[-1]
        hidden = self._linear(self.feedforward_channels, width, "layers.0.0")(x)
        hidden = self.act_cfg(name="layers.0.1")(hidden)
        hidden = Dropout(self.ffn_drop, name="layers.0.2")(hidden, train)
        y = self._linear(width, self.feedforward_channels, "layers.1")(hidden)
        y = Dropout(self.ffn_drop, name="layers.2")(y, train)
        return identity + DropPath(self.drop_path, name="dropout_layer")(y, train)

    def _linear(self, features, inputs, name):
        bias_init = self.bias_init(inputs)
        return Linear(
            features, kernel_init=self.kernel_init, bias_init=bias_init, name=name
        )


class TransformerEncoderLayer(nn.Module):
    """ViT's block: attention and FFN, each after a norm. arXiv 2010.11929

    Only the FFN has stochastic depth, as in mmseg.

    Attributes:
        num_heads: attention heads.
        feedforward_channels: width of the FFN's middle.
        drop_rate, attn_drop_rate, drop_path_rate: the rates of the projections, the
            attention probabilities and the stochastic depth.
        qkv_bias: whether q, k, v and the projection after them have a bias.
        norm_cfg, act_cfg: flavours of the layers.
        kernel_init: starting values of the kernels, but those of q, k and v.
        bias_init: as of `FFN`.
    """

    num_heads: int
    feedforward_channels: int
    drop_rate: float
    attn_drop_rate: float
    drop_path_rate: float
    qkv_bias: bool
    norm_cfg: Norm
    act_cfg: Act
    kernel_init: Any = truncated_normal
    bias_init: Any = _tiny_normal

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, L, C) -> (N, L, C)."""
        y = self.norm_cfg(name="ln1")(x, train)
        x = MultiheadAttention(
            self.num_heads,
            self.qkv_bias,
            self.attn_drop_rate,
            self.drop_rate,
            self.kernel_init,
            name="attn",
        )(y, x, train)
        y = self.norm_cfg(name="ln2")(x, train)
        return FFN(
            self.feedforward_channels,
            self.act_cfg,
            self.drop_rate,
            self.drop_path_rate,
            self.kernel_init,
            self.bias_init,
            name="ffn",
        )(y, x, train)


def dropout_rates(rate: float, depth: int) -> list[float]:
    """Stochastic depth grows linearly from 0 to `rate` over the blocks."""
    return [rate * i / max(depth - 1, 1) for i in range(depth)]

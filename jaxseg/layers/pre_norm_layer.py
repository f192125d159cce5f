"""A transformer layer whose norms come first, with mmcv's names."""

import flax.linen as nn
import jax

from jaxseg.layers.activation import Act
from jaxseg.layers.conv import torch_default_bias, torch_start
from jaxseg.layers.norm import LN
from jaxseg.layers.transformer import FFN, MultiheadAttention


class PreNormLayer(nn.Module):
    """mmcv's BaseTransformerLayer in the order norm, self_attn, norm, ffn.

    Attributes:
        num_heads: attention heads.
        feedforward_channels: width of the FFN's middle.
        act_cfg: activation of the FFN.
        bias: whether the projections of the attention have a bias.
    """

    num_heads: int
    feedforward_channels: int
    act_cfg: Act
    bias: bool = True

    @nn.compact
    def __call__(self, x, train: bool, scores_bias=None, mask=None) -> jax.Array:
        """(N, L, C) -> (N, L, C); `scores_bias` and `mask` as of an attention."""
        kernel_init = torch_start(x.shape[-1])["kernel_init"]
        y = LN()(name="norms.0")(x, train)
        attend = MultiheadAttention(
            self.num_heads, self.bias, out_init=kernel_init, name="attentions.0"
        )
        x = attend(y, x, train, scores_bias=scores_bias, mask=mask)
        y = LN()(name="norms.1")(x, train)
        return FFN(
            self.feedforward_channels,
            self.act_cfg,
            kernel_init=kernel_init,
            bias_init=torch_default_bias,
            name="ffns.0",
        )(y, x, train)

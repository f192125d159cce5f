"""Attention refinement module of BiSeNet: https://arxiv.org/abs/1808.00897."""

import flax.linen as nn
import jax

from jaxseg.layers.activation import Act, ReLU
from jaxseg.layers.conv import ConvModule
from jaxseg.layers.norm import BN, Norm
from jaxseg.ops.context import global_mean
from jaxseg.ops.narrow import spread


class AttentionRefinementModule(nn.Module):
    """A 3x3 convolution whose channels are scaled by what a layer makes of their means.

    Attributes:
        channels: channels of the result.
        norm_cfg, act_cfg: flavours of the convolution; the layer has the norm alone.
    """

    channels: int
    norm_cfg: Norm = BN()
    act_cfg: Act = ReLU()

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> (N, H, W, channels)."""
        flavours = {"norm_cfg": self.norm_cfg, "act_cfg": self.act_cfg}
        conv = ConvModule(self.channels, 3, padding=1, **flavours, name="conv_layer")
        x = conv(x, train)
        # Item 1: item 0 is the pooling, which has no weights.
        layer = ConvModule(
            self.channels, 1, norm_cfg=self.norm_cfg, name="atten_conv_layer.1"
        )
        scales = jax.nn.sigmoid(layer(global_mean(x), train))
        return x * spread(scales, x)

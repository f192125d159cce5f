"""Self-attention block: attention between two maps, with 1x1 convolutions."""

import flax.linen as nn
import jax

from jaxseg.layers.activation import Act
from jaxseg.layers.conv import Conv2d, ConvModule, torch_start
from jaxseg.layers.norm import Norm
from jaxseg.ops.context import pixel_attention


class SelfAttentionBlock(nn.Module):
    """mmseg's SelfAttentionBlock, the base of OCRNet's and ANN's blocks.

    A child calls `attend` in its own `__call__`.

    Attributes:
        channels: the number of channels of queries and keys, and of values where they
            are projected out.
        out_channels: the number of channels of the result.
        share_key_query: queries are projected as keys are.
        key_query_num_convs, value_out_num_convs: convolutions of each projection.
        key_query_norm, value_out_norm: norm and activation behind each of them.
        matmul_norm: the products are divided by the square root of `channels`.
        with_out: values have `channels` channels, and the result is projected.
        norm_cfg, act_cfg: flavours of the layers.
    """

    channels: int
    out_channels: int
    share_key_query: bool
    key_query_num_convs: int
    value_out_num_convs: int
    key_query_norm: bool
    value_out_norm: bool
    matmul_norm: bool
    with_out: bool
    norm_cfg: Norm | None
    act_cfg: Act | None

    def attend(self, query_feats: jax.Array, key_feats: jax.Array, train: bool):
        """(N, h, w, c) and (N, k, l, d) -> (N, h, w, out_channels)."""
        query_name = "key_project" if self.share_key_query else "query_project"
        queries = self.project_keys(query_feats, query_name, train)
        keys = self.project_keys(key_feats, "key_project", train)
        width = self.channels if self.with_out else self.out_channels
        values = self._project(
            key_feats,
            width,
            self.value_out_num_convs,
            self.value_out_norm,
            "value_project",
            train,
        )
        scale = None if self.matmul_norm else 1.0
        y = pixel_attention(queries, keys, values, scale)
        if not self.with_out:
            return y
        return self._project(
            y,
            self.out_channels,
            self.value_out_num_convs,
            self.value_out_norm,
            "out_project",
            train,
        )

    def project_keys(self, x, name, train):
        """The projection of keys, or of queries."""
        return self._project(
            x, self.channels, self.key_query_num_convs, self.key_query_norm, name, train
        )

    def _project(self, x, channels, num_convs, with_norm, name, train):
        for i in range(num_convs):
            part = name if num_convs == 1 else f"{name}.{i}"
            if with_norm:
                flavours = {"norm_cfg": self.norm_cfg, "act_cfg": self.act_cfg}
                x = ConvModule(channels, 1, **flavours, name=part)(x, train)
            else:
                # mmseg's blocks begin as if they were not there.
                zero = {"kernel_init": nn.initializers.zeros}
                start = zero if name == "out_project" else torch_start(x.shape[-1])
                x = Conv2d(channels, 1, **start, name=part)(x)
        return x

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
        keys_of = self._projection("key_project", self.channels, key_feats)
        queries_of = keys_of
        if not self.share_key_query:
            queries_of = self._projection("query_project", self.channels, query_feats)
        width = self.channels if self.with_out else self.out_channels
        values_of = self._projection("value_project", width, key_feats)
        # A shared projection sees both maps, and its norm's statistics count both.
        queries = queries_of(query_feats, train)
        keys, values = (of(key_feats, train) for of in (keys_of, values_of))
        keys, values = map(self.downsample_keys, (keys, values))
        y = pixel_attention(queries, keys, values, None if self.matmul_norm else 1.0)
        if not self.with_out:
            return y
        return self._projection("out_project", self.out_channels, y)(y, train)

    def downsample_keys(self, x: jax.Array) -> jax.Array:
        """What pixels attend to, made of the projected keys, and of the values."""
        return x

    def _projection(self, name, channels, like):
        """The convolutions of a name, for maps with the channels of `like`."""
        if name in ("key_project", "query_project"):
            count, with_norm = self.key_query_num_convs, self.key_query_norm
        else:
            count, with_norm = self.value_out_num_convs, self.value_out_norm
        parts = [name] if count == 1 else [f"{name}.{i}" for i in range(count)]
        widths = [like.shape[-1], *[channels] * (count - 1)]
        convs = [
            self._conv(part, channels, width, with_norm)
            for part, width in zip(parts, widths, strict=True)
        ]

        def project(x, train):
            for conv in convs:
                x = conv(x, train) if with_norm else conv(x)
            return x

        return project

    def _conv(self, name, channels, width, with_norm):
        if with_norm:
            flavours = {"norm_cfg": self.norm_cfg, "act_cfg": self.act_cfg}
            return ConvModule(channels, 1, **flavours, name=name)
        # mmseg's blocks begin as if they were not there.
        zero = {"kernel_init": nn.initializers.zeros}
        start = zero if name == "out_project" else torch_start(width)
        return Conv2d(channels, 1, **start, name=name)

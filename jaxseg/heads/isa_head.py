"""ISANet, Interlaced Sparse Self-Attention: https://arxiv.org/abs/1907.12273."""

import flax.linen as nn
import jax.numpy as jnp

from jaxseg.heads.decode_head import BaseDecodeHead
from jaxseg.layers.conv import ConvModule
from jaxseg.layers.self_attention_block import SelfAttentionBlock


class _Relation(SelfAttentionBlock):
    """Attention inside each map, and a convolution of the result."""

    @nn.compact
    def __call__(self, x, train: bool):
        y = self.attend(x, x, train)
        flavours = {"norm_cfg": self.norm_cfg, "act_cfg": self.act_cfg}
        project = ConvModule(x.shape[-1], 1, **flavours, name="output_project")
        return project(y, train)


class ISAHead(BaseDecodeHead, kw_only=True):
    """Attention among pixels far apart, and then among those of one neighbourhood.

    Attributes:
        isa_channels: channels of the attention's queries and keys.
        down_factor: (height, width) of a neighbourhood in pixels.
    """

    isa_channels: int
    down_factor: tuple[int, int] = (8, 8)

    @nn.compact
    def __call__(self, inputs, train: bool):
        x = self.transform_inputs(inputs)
        x = self.conv_module(self.channels, 3, "in_conv")(x, train)
        (n, *size, c), local = x.shape, self.down_factor
        missing = [-side % part for side, part in zip(size, local, strict=True)]
        before = [pad // 2 for pad in missing]
        pads = [(b, pad - b) for b, pad in zip(before, missing, strict=True)]
        y = jnp.pad(x, ((0, 0), *pads, (0, 0)))
        padded = y.shape
        rows, columns = padded[1] // local[0], padded[2] // local[1]

        # The pixels that stand at one place of all neighbourhoods are a map.
        y = y.reshape(n, rows, local[0], columns, local[1], c)
        y = y.transpose(0, 2, 4, 1, 3, 5).reshape(-1, rows, columns, c)
        y = self._relation("global_relation")(y, train)
        y = y.reshape(n, *local, rows, columns, c)
        y = y.transpose(0, 3, 4, 1, 2, 5).reshape(-1, *local, c)
        y = self._relation("local_relation")(y, train)
        y = y.reshape(n, rows, columns, *local, c).transpose(0, 1, 3, 2, 4, 5)
        y = y.reshape(padded)

        top, left = before
        y = y[:, top : top + size[0], left : left + size[1]]
        y = jnp.concatenate([y, x], axis=-1)
        y = self.conv_module(self.channels, 1, "out_conv")(y, train)
        return self.cls_seg(y, train)

    def _relation(self, name):
        return _Relation(
            channels=self.isa_channels,
            out_channels=self.channels,
            share_key_query=False,
            key_query_num_convs=2,
            value_out_num_convs=1,
            key_query_norm=True,
            value_out_norm=False,
            matmul_norm=True,
            with_out=False,
            norm_cfg=self.norm_cfg,
            act_cfg=self.act_cfg,
            name=name,
        )

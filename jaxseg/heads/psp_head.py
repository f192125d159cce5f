"""Pyramid Scene Parsing Network: https://arxiv.org/abs/1612.01105."""

import flax.linen as nn
import jax.numpy as jnp

from jaxseg.heads.decode_head import BaseDecodeHead
from jaxseg.layers.ppm import PPM
from jaxseg.weights.key_table import KeyTable


class PSPHead(BaseDecodeHead, kw_only=True):
    """The pooling pyramid, joined to its input.

    Attributes:
        pool_scales: sides of the pooled maps.
    """

    pool_scales: tuple[int, ...] = (1, 2, 3, 6)

    takes_padding = True
    takes_bands = True

    # CSAIL's semantic-segmentation-pytorch.
    key_table = KeyTable(
        renames=(
            (r"^ppm\.(\d+)\.1\.", r"psp_modules.\1.1.conv."),
            (r"^ppm\.(\d+)\.2\.", r"psp_modules.\1.1.bn."),
            (r"^conv_last\.0\.", "bottleneck.conv."),
            (r"^conv_last\.1\.", "bottleneck.bn."),
            (r"^conv_last\.4\.", "conv_seg."),
        )
    )

    @nn.compact
    def __call__(self, inputs, train: bool):
        x = self.transform_inputs(inputs)
        branches = PPM(
            self.pool_scales,
            self.channels,
            self.norm_cfg,
            self.act_cfg,
            self.align_corners,
            name="psp_modules",
        )(x, train)
        x = jnp.concatenate([x, *branches], axis=-1)
        x = self.conv_module(self.channels, 3, "bottleneck")(x, train)
        return self.cls_seg(x, train)

"""Unified Perceptual Parsing: https://arxiv.org/abs/1807.10221."""

import flax.linen as nn
import jax.numpy as jnp

from jaxseg.heads.decode_head import BaseDecodeHead
from jaxseg.layers.ppm import PPM
from jaxseg.ops.resize import resize
from jaxseg.weights.key_table import KeyTable


class UPerHead(BaseDecodeHead, kw_only=True):
    """A feature pyramid over the backbone's stages, topped by pyramid pooling.

    Attributes:
        pool_scales: sides of the maps pooled from the last stage.
        pool_channels: channels of the pooled maps' convolutions; None: `channels`.
        resizes_pooled_first: the pooled maps are resized before their convolution, as
            in CSAIL's semantic-segmentation-pytorch.
    """

    input_transform: str = "multiple_select"
    pool_scales: tuple[int, ...] = (1, 2, 3, 6)
    pool_channels: int | None = None
    resizes_pooled_first: bool = False

    takes_padding = True
    takes_bands = True

    # CSAIL's semantic-segmentation-pytorch.
    key_table = KeyTable(
        renames=(
            (r"^ppm_conv\.(\d+)\.0\.", r"psp_modules.\1.1.conv."),
            (r"^ppm_conv\.(\d+)\.1\.", r"psp_modules.\1.1.bn."),
            (r"^ppm_last_conv\.0\.", "bottleneck.conv."),
            (r"^ppm_last_conv\.1\.", "bottleneck.bn."),
            (r"^fpn_in\.(\d+)\.0\.", r"lateral_convs.\1.conv."),
            (r"^fpn_in\.(\d+)\.1\.", r"lateral_convs.\1.bn."),
            (r"^fpn_out\.(\d+)\.0\.0\.", r"fpn_convs.\1.conv."),
            (r"^fpn_out\.(\d+)\.0\.1\.", r"fpn_convs.\1.bn."),
            (r"^conv_last\.0\.0\.", "fpn_bottleneck.conv."),
            (r"^conv_last\.0\.1\.", "fpn_bottleneck.bn."),
            (r"^conv_last\.1\.", "conv_seg."),
        )
    )

    @nn.compact
    def __call__(self, inputs, train: bool):
        inputs = self.transform_inputs(inputs)
        laterals = [
            self.conv_module(self.channels, 1, f"lateral_convs.{i}")(x, train)
            for i, x in enumerate(inputs[:-1])
        ]
        laterals.append(self._pyramid_pooling(inputs[-1], train))
        for i in range(len(laterals) - 1, 0, -1):
            laterals[i - 1] += self._resize(laterals[i], laterals[i - 1])
        outs = [
            self.conv_module(self.channels, 3, f"fpn_convs.{i}")(x, train)
            for i, x in enumerate(laterals[:-1])
        ]
        outs.append(laterals[-1])
        outs = [outs[0], *(self._resize(x, outs[0]) for x in outs[1:])]
        x = jnp.concatenate(outs, axis=-1)  # (N, H/4, W/4, levels * channels)
        x = self.conv_module(self.channels, 3, "fpn_bottleneck")(x, train)
        return self.cls_seg(x, train)

    def _pyramid_pooling(self, x, train):
        branches = PPM(
            self.pool_scales,
            self.pool_channels or self.channels,
            self.norm_cfg,
            self.act_cfg,
            self.align_corners,
            self.resizes_pooled_first,
            name="psp_modules",
        )(x, train)
        x = jnp.concatenate([x, *branches], axis=-1)
        return self.conv_module(self.channels, 3, "bottleneck")(x, train)

    def _resize(self, x, like):
        return resize(x, like.shape[1:3], align_corners=self.align_corners)

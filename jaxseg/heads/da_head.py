"""DANet, Dual Attention Network: https://arxiv.org/abs/1809.02983."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.heads.decode_head import BaseDecodeHead
from jaxseg.layers.conv import Conv2d, torch_start
from jaxseg.layers.dropout import Dropout2d
from jaxseg.layers.scale import Scale
from jaxseg.layers.self_attention_block import SelfAttentionBlock
from jaxseg.ops.context import pixel_product
from jaxseg.ops.narrow import wide


class _PAM(SelfAttentionBlock):
    """Position attention module: each pixel sees all pixels."""

    @nn.compact
    def __call__(self, x, train: bool):
        return x + Scale(name="gamma")(self.attend(x, x, train))


class _CAM(nn.Module):
    """Channel attention module: each channel sees all channels."""

    @nn.compact
    def __call__(self, x):
        precise = wide(x)
        # Sums over all pixels, of whose differences a softmax makes weights.
        energy = pixel_product(precise, precise, jax.lax.Precision.HIGHEST)
        weights = jax.nn.softmax(-energy, axis=-1).astype(x.dtype)
        return x + Scale(name="gamma")(jnp.einsum("nhwd,ncd->nhwc", x, weights))


class DAHead(BaseDecodeHead, kw_only=True):
    """Attention over positions, attention over channels, and their sum.

    The outputs are the logits of the sum, of the positions and of the channels;
    training alone looks at the last two.

    Attributes:
        pam_channels: channels of the position attention's queries and keys.
    """

    pam_channels: int

    takes_padding = True
    takes_bands = True

    @nn.compact
    def __call__(self, inputs, train: bool):
        x = self.transform_inputs(inputs)
        pam = self.conv_module(self.channels, 3, "pam_in_conv")(x, train)
        pam = _PAM(
            channels=self.pam_channels,
            out_channels=self.channels,
            share_key_query=False,
            key_query_num_convs=1,
            value_out_num_convs=1,
            key_query_norm=False,
            value_out_norm=False,
            matmul_norm=False,
            with_out=False,
            norm_cfg=None,
            act_cfg=None,
            name="pam",
        )(pam, train)
        pam = self.conv_module(self.channels, 3, "pam_out_conv")(pam, train)
        cam = self.conv_module(self.channels, 3, "cam_in_conv")(x, train)
        cam = _CAM(name="cam")(cam)
        cam = self.conv_module(self.channels, 3, "cam_out_conv")(cam, train)
        return (
            self.cls_seg(pam + cam, train),
            self._classify(pam, "pam", train),
            self._classify(cam, "cam", train),
        )

    def _classify(self, x, name, train):
        x = Dropout2d(self.dropout_ratio, name=f"{name}_dropout")(x, train)
        start = torch_start(x.shape[-1])
        return Conv2d(self.num_classes, **start, name=f"{name}_conv_seg")(x)

    def logits(self, outputs):
        return outputs[0]

    def loss(self, outputs, targets):
        losses = {}
        for name, logits in zip(("pam_cam", "pam", "cam"), outputs, strict=True):
            found = super().loss(logits, targets)
            losses |= {f"{name}.{key}": value for key, value in found.items()}
        return losses

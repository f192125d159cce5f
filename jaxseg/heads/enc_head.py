"""EncNet, Context Encoding: https://arxiv.org/abs/1803.08904."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.heads.decode_head import BaseDecodeHead
from jaxseg.layers.activation import Act
from jaxseg.layers.conv import ConvModule, torch_start
from jaxseg.layers.encoding import Encoding
from jaxseg.layers.norm import BN, Norm
from jaxseg.layers.transformer import Linear
from jaxseg.losses.cross_entropy_loss import CrossEntropyLoss
from jaxseg.losses.loss import Loss
from jaxseg.losses.targets import Targets
from jaxseg.ops.narrow import spread
from jaxseg.ops.resize import resize


class _EncModule(nn.Module):
    """Weighs the channels of a map by its encoding.

    Attributes:
        num_codes: number of code words.
    """

    num_codes: int
    norm_cfg: Norm | None
    act_cfg: Act | None

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, h, w, C) -> its encoding (N, C), and the weighed map."""
        flavours = {"norm_cfg": self.norm_cfg, "act_cfg": self.act_cfg}
        channels = x.shape[-1]
        y = ConvModule(channels, 1, **flavours, name="encoding_project")(x, train)
        y = Encoding(self.num_codes, name="encoding.0")(y)  # (N, codes, C)
        # The norm is over each code word, which takes the place of channels.
        y = jnp.swapaxes(y, 1, 2)
        y = (self.norm_cfg or BN())(name="encoding.1")(y, train)
        encoding = jax.nn.relu(y).mean(-1).astype(x.dtype)
        fc = Linear(channels, **torch_start(channels), name="fc.0")
        gamma = jax.nn.sigmoid(fc(encoding))
        return encoding, jax.nn.relu(x + x * spread(gamma[:, None, None], x))


class EncHead(BaseDecodeHead, kw_only=True):
    """Encodes the whole map, and learns from it which classes are in the image.

    The outputs are the logits; with `use_se_loss`, the logits and those of every class
    to be in the image, (N, num_classes).

    Attributes:
        num_codes: number of code words.
        use_se_loss: train on the classes that are in the image, too.
        add_lateral: join the other inputs, each reduced by a 1x1 convolution.
        loss_se_decode: the loss of the classes in the image.
    """

    input_transform: str = "multiple_select"
    num_codes: int = 32
    use_se_loss: bool = True
    add_lateral: bool = False
    loss_se_decode: Loss = CrossEntropyLoss(use_sigmoid=True, loss_weight=0.2)

    takes_padding = True
    takes_bands = True

    @nn.compact
    def __call__(self, inputs, train: bool):
        inputs = self.transform_inputs(inputs)
        x = self.conv_module(self.channels, 3, "bottleneck")(inputs[-1], train)
        if self.add_lateral:
            laterals = [
                self.conv_module(self.channels, 1, f"lateral_convs.{i}")(lateral, train)
                for i, lateral in enumerate(inputs[:-1])
            ]
            size = x.shape[1:3]
            laterals = [
                resize(lateral, size, align_corners=self.align_corners)
                for lateral in laterals
            ]
            x = jnp.concatenate([x, *laterals], axis=-1)
            x = self.conv_module(self.channels, 3, "fusion")(x, train)
        flavours = {"norm_cfg": self.norm_cfg, "act_cfg": self.act_cfg}
        module = _EncModule(self.num_codes, **flavours, name="enc_module")
        encoding, x = module(x, train)
        logits = self.cls_seg(x, train)
        if not self.use_se_loss:
            return logits
        start = torch_start(self.channels)
        se_layer = Linear(self.num_classes, **start, name="se_layer")
        return logits, se_layer(encoding)

    def logits(self, outputs: Any) -> jax.Array:
        return outputs[0] if self.use_se_loss else outputs

    def loss(self, outputs, targets):
        losses = super().loss(self.logits(outputs), targets)
        if self.use_se_loss:
            classes = jnp.arange(self.num_classes)
            there = (targets["gt_seg_map"][..., None] == classes).any((1, 2))
            se_logits = outputs[1].astype(
                jnp.promote_types(outputs[1].dtype, "float32")
            )
            wanted = Targets(there.astype(jnp.int32), ignore_index=None)
            value = self.loss_se_decode.whole(se_logits, wanted).mean()
            losses["loss_se"] = self.loss_se_decode.loss_weight * value
        return losses

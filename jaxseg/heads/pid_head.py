"""PIDNet's head: https://arxiv.org/abs/2206.02066."""

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.errors import FieldError
from jaxseg.heads.decode_head import BaseDecodeHead
from jaxseg.layers.activation import ReLU
from jaxseg.layers.conv import Conv2d, torch_default_bias
from jaxseg.layers.dropout import Dropout2d
from jaxseg.layers.pre_activation import PreActivationBranch
from jaxseg.losses.decode import decode_losses
from jaxseg.losses.loss import Loss
from jaxseg.ops.narrow import wide
from jaxseg.ops.resize import resize

# Probability of a boundary from which a pixel counts in the last loss.
_BOUNDARY = 0.8


class PIDHead(BaseDecodeHead, kw_only=True):
    """A classifier for each of PIDNet's three maps; the second one's is the prediction.

    Attributes:
        in_channels: channels of the second map; the others have half as many.
        loss_decode: four losses: of P's logits, of the prediction, of D's boundaries
            (against `gt_edge_map`), and of the prediction where D sees a boundary.
    """

    loss_decode: tuple[Loss, ...]

    target_keys = ("gt_seg_map", "gt_edge_map")
    takes_padding = True
    takes_bands = True

    def __post_init__(self):
        if len(self.loss_decode) != 4:
            raise FieldError(
                f"loss_decode: PIDHead takes 4 losses, found {len(self.loss_decode)}"
            )
        super().__post_init__()

    @property
    def loss_channels(self):
        classes = self.out_channels
        return (classes, classes, 1, classes)

    @nn.compact
    def __call__(self, inputs, train: bool):
        """Three maps -> logits of P and of the prediction, and of boundaries, 1 channel.

        Only training looks at the first and the last.
        """
        p, i, d = inputs
        width, flavours = self.in_channels, (self.norm_cfg, self.act_cfg)
        p = PreActivationBranch(self.channels, *flavours, name="p_head")(p, train)
        i = PreActivationBranch(self.channels, *flavours, name="i_head")(i, train)
        d = PreActivationBranch(width // 4, self.norm_cfg, ReLU(), name="d_head")(
            d, train
        )
        i = Dropout2d(self.dropout_ratio, name="dropout")(i, train)
        return (
            _classify(p, self.out_channels, "p_cls_seg"),
            _classify(i, self.out_channels, "conv_seg"),
            _classify(d, 1, "d_cls_seg"),
        )

    def logits(self, outputs):
        return outputs[1]

    def loss(self, outputs, targets: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        p, i, d = outputs
        label = targets["gt_seg_map"]
        edges = resize(
            wide(jax.lax.stop_gradient(d)),
            label.shape[1:3],
            align_corners=self.align_corners,
        )
        is_boundary = jax.nn.sigmoid(edges[..., 0]) > _BOUNDARY
        boundary = jnp.where(is_boundary, label, self.ignore_index)
        targets = {**targets, "boundary": boundary}
        parts = {
            "loss_sem_p": (p, "gt_seg_map"),
            "loss_sem_i": (i, "gt_seg_map"),
            "loss_bd": (d, "gt_edge_map"),
            "loss_sem_bd": (i, "boundary"),
        }
        losses = {}
        for (name, (logits, key)), loss in zip(
            parts.items(), self.loss_decode, strict=True
        ):
            found = decode_losses(
                logits,
                targets,
                (loss,),
                label=key,
                ignore_index=self.ignore_index,
                align_corners=self.align_corners,
            )
            losses[name] = found[loss.loss_name]
            if name == "loss_sem_i":
                losses["acc_seg"] = found["acc_seg"]
        return losses


def _classify(x, features, name):
    bias_init = torch_default_bias(x.shape[-1])
    return Conv2d(features, bias_init=bias_init, name=name)(x)

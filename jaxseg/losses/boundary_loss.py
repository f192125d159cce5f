"""Boundary loss of PIDNet: https://arxiv.org/abs/2206.02066."""

import dataclasses

import jax
import jax.numpy as jnp

from jaxseg.errors import FieldError
from jaxseg.layers.data_axis import loss_divisor
from jaxseg.losses.pixel_loss import PixelLoss, weigh


@dataclasses.dataclass(frozen=True)
class BoundaryLoss(PixelLoss):
    """Binary cross entropy of an edge map, in which both sides weigh the same.

    The logits have one channel. Of the label, 1 is an edge and 0 is none; a pixel on
    an edge is weighed by the share of the others, and the other way round. Any other
    label weighs nothing. The mean is over all pixels.

    Attributes:
        loss_weight: factor of the loss.
        loss_name: the name of the loss in the log; losses of one name are summed.
    """

    loss_weight: float = 1.0
    loss_name: str = "loss_boundary"

    def check_channels(self, channels):
        if channels != 1:
            raise FieldError(
                f"{self.loss_name} takes logits of one channel, found {channels}"
            )

    def inputs(self, logits, targets):
        edge = targets.classes
        self.check_channels(logits.channels)
        counts = [
            loss_divisor((edge == side).sum().astype(logits.dtype)) for side in (0, 1)
        ]
        others, edges = counts
        total = jnp.maximum(others + edges, 1)
        balance = jnp.where(edge == 1, others / total, edges / total)
        balance = jnp.where((edge == 0) | (edge == 1), balance, 0)
        return edge, weigh(balance, targets.weight)

    def pixels(self, logits, edge, weight):
        logit = logits[..., 0]
        loss = jax.nn.softplus(jnp.where(edge == 1, -logit, logit))
        return loss * weight

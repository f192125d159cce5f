"""Pixel loss: a loss that is a sum of the pixels' own losses over a divisor."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxseg.layers.data_axis import loss_divisor
from jaxseg.losses.loss import EPS, Loss, mask_rows, refuse_factor_of_sum
from jaxseg.losses.targets import Targets
from jaxseg.ops.strips.upsampled import Upsampled


class PixelLoss(Loss):
    """The base of losses that are sums over pixels, so that a sampler can weigh them.

    A subclass gives the pixels' losses (`pixels`), what they need (`inputs`) and, if
    it is not their number, the divisor of their mean (`mean_divisor`).

    Attributes:
        reduction: `mean`; `sum`; or `none`, the map itself, of which a head takes the
            mean, as mmseg's training does.
    """

    reduction: str = "mean"

    def inputs(self, logits: Upsampled, targets: Targets) -> tuple[Any, ...]:
        """What `pixels` gets beside the logits, as of `Loss.prepare`."""
        return targets.classes, targets.weight

    def pixels(self, logits: jax.Array, *inputs: Any) -> jax.Array:
        """Losses (N, rows, W), or (N, rows, W, C) with one for every channel."""
        raise NotImplementedError

    def number(self, logits: Upsampled, targets: Targets) -> int:
        """How many numbers `pixels` gives of a whole map."""
        return targets.label.size

    def mean_divisor(self, logits: Upsampled, targets: Targets) -> Any:
        """What the sum of the pixels' losses is divided by, if the reduction is mean."""
        return float(self.number(logits, targets))

    def prepare(self, logits, targets):
        refuse_factor_of_sum(self.reduction, targets.avg_factor)
        if self.reduction == "none":
            divisor = float(self.number(logits, targets))
        elif self.reduction == "sum":
            divisor = 1.0
        elif targets.avg_factor is not None:
            divisor = targets.avg_factor + EPS
        else:
            divisor = self.mean_divisor(logits, targets)
        return self.inputs(logits, targets), divisor

    def strip(self, logits, inside, inputs, divisor):
        return mask_rows(inside, self.pixels(logits, *inputs)).sum()

    def finish(self, total, inputs, divisor):
        return total / divisor

    def whole(self, logits, targets):
        if self.reduction != "none":
            return super().whole(logits, targets)
        size = logits.shape[1:-1]
        return self.pixels(logits, *self.inputs(Upsampled(logits, size), targets))


def count_over_devices(mask: jax.Array, terms: int = 1) -> jax.Array:
    """How many are True, of one device or of all, and never quite zero."""
    return loss_divisor(mask.sum() * jnp.float32(terms)) + EPS


def weigh(losses: jax.Array, weight: jax.Array | None) -> jax.Array:
    """Losses (N, rows, W) or (N, rows, W, C) times pixel weights (N, rows, W)."""
    if weight is None:
        return losses
    return losses * (weight if losses.ndim == weight.ndim else weight[..., None])

"""Scale-invariant logarithmic loss of depths: https://arxiv.org/abs/1406.2283."""

import dataclasses

import jax.numpy as jnp

from jaxseg.errors import FieldError
from jaxseg.losses.loss import Loss, check_reduction, mask_rows, reduce


@dataclasses.dataclass(frozen=True)
class SiLogLoss(Loss):
    """mmseg's SiLogLoss: root of the mean square of log ratios less half of their mean's.

    The logits have one channel, the depth; the label is depths (N, H, W), of which
    those that do not exceed `eps` are not known and do not count. A sample without
    any is 0.

    Attributes:
        reduction: `mean`, `sum` or `none`, over the samples.
        loss_weight: factor of the loss.
        eps: the lowest depth.
        loss_name: the name of the loss in the log; losses of one name are summed.
    """

    reduction: str = "mean"
    loss_weight: float = 1.0
    eps: float = 1e-6
    loss_name: str = "loss_silog"

    passes = 2

    def __post_init__(self):
        check_reduction(self.reduction)

    def check_channels(self, channels):
        if channels != 1:
            raise FieldError(
                f"{self.loss_name} takes one channel, the depth, found {channels}"
            )

    def prepare(self, logits, targets):
        self.check_channels(logits.channels)
        return targets.label, targets.weight, targets.avg_factor

    def strip(self, logits, inside, depth, weight, avg_factor):
        # (3, N): the squares, the log ratios, and how many count.
        depth = depth.astype(logits.dtype)
        valid = depth > self.eps
        known = jnp.log(jnp.maximum(depth, self.eps))
        ratio = known - jnp.log(jnp.maximum(logits[..., 0], self.eps))
        valid &= ~jnp.isnan(ratio)
        ratio = jnp.where(valid, ratio, 0)
        parts = (jnp.square(ratio), ratio, valid.astype(logits.dtype))
        axes = tuple(range(1, depth.ndim))
        return jnp.stack([mask_rows(inside, part).sum(axes) for part in parts])

    def finish(self, sums, depth, weight, avg_factor):
        squares, ratios, count = sums
        count = jnp.maximum(count, self.eps)
        variance = squares / count - 0.5 * jnp.square(ratios / count)
        # The slope of a root at 0 is infinite.
        positive = variance > 0
        root = jnp.sqrt(jnp.where(positive, variance, 1))
        return reduce(jnp.where(positive, root, 0), self.reduction, weight, avg_factor)

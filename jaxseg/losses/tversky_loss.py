"""Tversky loss: https://arxiv.org/abs/1706.05721."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.errors import FieldError
from jaxseg.losses.class_weight import (
    ClassWeight,
    check_number,
    read_field,
    weights_of,
)
from jaxseg.losses.loss import Loss, mask_rows


@dataclasses.dataclass(frozen=True)
class TverskyLoss(Loss):
    """mmseg's TverskyLoss: a ratio of each class and sample, whose mean it is.

    Attributes:
        smooth: added to numerator and denominator.
        class_weight: weights of the classes, the path of a file with them, or None.
        loss_weight: factor of the loss.
        ignore_index: the label whose pixels, and the class whose ratio, are left out;
            the head's is not used, as in mmseg. The mean counts the class.
        alpha: factor of false positives.
        beta: factor of false negatives, 1 - alpha.
        loss_name: the name of the loss in the log; losses of one name are summed.
    """

    smooth: float = 1.0
    class_weight: ClassWeight = None
    loss_weight: float = 1.0
    ignore_index: int | None = 255
    alpha: float = 0.3
    beta: float = 0.7
    loss_name: str = "loss_tversky"

    passes = 2

    def __post_init__(self):
        if self.alpha + self.beta != 1:
            raise FieldError(
                f"alpha: {self.alpha} and beta: {self.beta} must add up to 1"
            )
        read_field(self)

    def check_channels(self, channels):
        if channels == 1:
            raise FieldError(
                f"{self.loss_name} is the softmax of one channel, which is 1 whatever "
                "the logit: give the head two channels"
            )
        check_number(self, channels)

    def prepare(self, logits, targets):
        return (targets.ignoring(self.ignore_index).classes,)

    def strip(self, logits, inside, label):
        # (3, N, C): overlap, and what probabilities and targets add up to.
        channels = logits.shape[-1]
        valid = (label >= 0)[..., None]
        probability = jnp.where(valid, jax.nn.softmax(logits, axis=-1), 0)
        # As mmseg does, a label past the classes is taken for the last one.
        target = jnp.minimum(label, channels - 1)[..., None] == jnp.arange(channels)
        target = target.astype(logits.dtype)
        parts = (probability * target, probability, target)
        axes = tuple(range(1, logits.ndim - 1))
        return jnp.stack([mask_rows(inside, part).sum(axes) for part in parts])

    def finish(self, sums, label):
        overlap, probability, target = sums
        positives = self.alpha * (probability - overlap)
        negatives = self.beta * (target - overlap)
        total = overlap + positives + negatives + self.smooth
        loss = (1 - (overlap + self.smooth) / total).mean(0)
        if self.class_weight is not None:
            loss = loss * weights_of(self, len(loss), loss.dtype)
        kept = np.arange(len(loss)) != self.ignore_index
        return jnp.where(kept, loss, 0).mean()

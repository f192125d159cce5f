"""Focal loss: https://arxiv.org/abs/1708.02002."""

import dataclasses

import jax
import jax.numpy as jnp

from jaxseg.errors import FieldError
from jaxseg.losses.class_weight import ClassWeight, check_number, read_field, weights_of
from jaxseg.losses.cross_entropy_loss import binary_targets
from jaxseg.losses.loss import check_reduction
from jaxseg.losses.pixel_loss import PixelLoss, weigh


@dataclasses.dataclass(frozen=True)
class FocalLoss(PixelLoss):
    """mmseg's FocalLoss: binary cross entropy of each channel, easy pixels damped.

    The label is class numbers, or (N, H, W, C) with 1 where a channel is to be high.
    Of class numbers mmseg's form for a GPU counts (the one for a CPU fails): an
    ignored pixel weighs nothing, and stays in the divisor of the mean. Of the other
    kind, a pixel whose first highest channel is `ignore_index` weighs nothing.

    Attributes:
        use_sigmoid: True; mmseg has no other.
        gamma: power of the damping factor, 1 minus the probability of the truth.
        alpha: weight of a channel that is to be high, 1 - alpha of one that is not; of
            all channels, or of each.
        reduction: `mean`, `sum` or `none`.
        class_weight: weights of the channels, the path of a file with them, or None.
        loss_weight: factor of the loss.
        loss_name: the name of the loss in the log; losses of one name are summed.
    """

    use_sigmoid: bool = True
    gamma: float = 2.0
    alpha: float | tuple[float, ...] = 0.5
    reduction: str = "mean"
    class_weight: ClassWeight = None
    loss_weight: float = 1.0
    loss_name: str = "loss_focal"

    def __post_init__(self):
        if not self.use_sigmoid:
            raise FieldError("use_sigmoid: found False, FocalLoss has no softmax")
        check_reduction(self.reduction)
        read_field(self)

    def check_channels(self, channels):
        check_number(self, channels)
        if isinstance(self.alpha, tuple) and len(self.alpha) != channels:
            raise FieldError(
                f"alpha of {self.loss_name} has {len(self.alpha)} entries, the logits "
                f"have {channels} channels"
            )

    def inputs(self, logits, targets):
        self.check_channels(logits.channels)
        label = targets.classes
        if label.ndim < logits.source.ndim:
            return label, weigh(label >= 0, targets.weight)
        valid = targets.label.argmax(-1) != targets.ignore_index
        return label, weigh(valid, targets.weight)

    def pixels(self, logits, label, weight):
        hot = binary_targets(label, logits)
        # The logit of the wrong answer, whose probability is 1 minus the truth's.
        wrong = jnp.where(hot, -logits, logits)
        alpha = jnp.asarray(self.alpha, logits.dtype)
        loss = jax.nn.softplus(wrong) * jax.nn.sigmoid(wrong) ** self.gamma
        loss = loss * jnp.where(hot, alpha, 1 - alpha)
        if self.class_weight is not None:
            loss = loss * weights_of(self, logits.shape[-1], logits.dtype)
        return weigh(loss, weight)

    def number(self, logits, targets):
        by_class = targets.label.ndim < logits.source.ndim
        return targets.label.size * (logits.channels if by_class else 1)

"""Dice loss, V-Net: https://arxiv.org/abs/1606.04797."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.losses.class_weight import (
    ClassWeight,
    check_number,
    read_field,
    weights_of,
)
from jaxseg.losses.cross_entropy_loss import binary_targets
from jaxseg.losses.loss import Loss, check_reduction, mask_rows, reduce


@dataclasses.dataclass(frozen=True)
class DiceLoss(Loss):
    """The Dice loss of mmseg 1.x: one ratio a sample, over classes and pixels.

    Ignored pixels are no one's target, yet their probabilities count in the
    denominator, as in mmseg. The label is (N, H, W), or (N, H, W, C) with 1 where a
    channel is to be high. A single channel stands for class 0, as in mmseg, where the
    sigmoid cross entropy and the prediction of such a head take it for class 1.

    Attributes:
        use_sigmoid: probabilities by sigmoid (mmseg's default) or by softmax; with
            softmax, logits of one channel stay as they are, as in mmseg.
        activate: whether the logits are turned into probabilities at all.
        reduction: `mean`, `sum` or `none`, of the samples' ratios.
        naive_dice: sums of values in the denominator in place of sums of squares.
        loss_weight: factor of the loss.
        ignore_index: a class whose channel is left out.
        eps: keeps the ratio defined.
        loss_name: the name of the loss in the log; losses of one name are summed.
    """

    use_sigmoid: bool = True
    activate: bool = True
    reduction: str = "mean"
    naive_dice: bool = False
    loss_weight: float = 1.0
    ignore_index: int | None = 255
    eps: float = 1e-3
    loss_name: str = "loss_dice"

    passes = 2

    def __post_init__(self):
        check_reduction(self.reduction)

    def prepare(self, logits, targets):
        return targets.classes, targets.weight, targets.avg_factor

    def strip(self, logits, inside, label, weight, avg_factor):
        # (3, N): the overlap, and what probabilities and targets add up to.
        kept = np.arange(logits.shape[-1]) != self.ignore_index
        probability = mask_rows(inside, jnp.where(kept, self._activate(logits), 0))
        target = self._targets(label, logits) & kept
        target = mask_rows(inside, target.astype(logits.dtype))
        size = probability if self.naive_dice else jnp.square(probability)
        axes = tuple(range(1, logits.ndim))
        parts = (probability * target, size, target)
        return jnp.stack([part.sum(axes) for part in parts])

    def finish(self, sums, label, weight, avg_factor):
        overlap, probability, target = sums
        if self.naive_dice:
            dice = (2 * overlap + self.eps) / (probability + target + self.eps)
        else:
            dice = 2 * overlap / (probability + target + 2 * self.eps)
        return reduce(1 - dice, self.reduction, weight, avg_factor)

    def _targets(self, label, logits):
        if label.ndim < logits.ndim and logits.shape[-1] == 1:
            return label[..., None] == 0
        return binary_targets(label, logits)

    def _activate(self, logits):
        if self.activate and self.use_sigmoid:
            return jax.nn.sigmoid(logits)
        if self.activate and logits.shape[-1] > 1:
            return jax.nn.softmax(logits, axis=-1)
        return logits


@dataclasses.dataclass(frozen=True)
class DiceLossV0(Loss):
    """The Dice loss of mmseg 0.x: softmax, and the mean of one ratio a class.

    The head's ignored label is not used, as in 0.x.

    Attributes:
        smooth: added to numerator and denominator.
        exponent: the exponent of probability and target in the denominator.
        class_weight: weights of the classes, the path of a file with them, or None.
        loss_weight: factor of the loss.
        ignore_index: the label whose pixels leave the numerator.
        loss_name: the name of the loss in the log; losses of one name are summed.
    """

    smooth: float = 1.0
    exponent: float = 2.0
    class_weight: ClassWeight = None
    loss_weight: float = 1.0
    ignore_index: int = 255
    loss_name: str = "loss_dice"

    passes = 2

    def __post_init__(self):
        read_field(self)

    def check_channels(self, channels):
        check_number(self, channels)

    def prepare(self, logits, targets):
        return (targets.label,)

    def strip(self, logits, inside, label):
        # (2, N, C): overlap and denominator.
        channels = logits.shape[-1]
        probability = jax.nn.softmax(logits, axis=-1)
        label = label.astype(jnp.int32)
        # 0.x clips labels into the classes before it makes them one-hot.
        target = jax.nn.one_hot(jnp.clip(label, 0, channels - 1), channels)
        valid = (label != self.ignore_index)[..., None]
        overlap = mask_rows(inside, jnp.where(valid, probability * target, 0))
        total = probability**self.exponent + target**self.exponent
        total = mask_rows(inside, total)
        return jnp.stack([overlap.sum((1, 2)), total.sum((1, 2))])

    def finish(self, sums, label):
        overlap, total = sums
        loss = 1 - (2 * overlap + self.smooth) / (total + self.smooth)
        loss = loss.mean(0)
        if self.class_weight is not None:
            loss = loss * weights_of(self, len(loss), loss.dtype)
        # As in 0.x, the sum leaves the ignored class out, the mean counts it.
        kept = np.arange(len(loss)) != self.ignore_index
        return jnp.where(kept, loss, 0).mean()

"""Cross entropy: softmax, sigmoid and of masks."""

import dataclasses

import jax
import jax.numpy as jnp

from jaxseg.config import ConfigError
from jaxseg.errors import FieldError
from jaxseg.layers.data_axis import loss_divisor
from jaxseg.losses.class_weight import (
    ClassWeight,
    check_number,
    read_field,
    weights_of,
)
from jaxseg.losses.loss import EPS, check_reduction
from jaxseg.losses.pixel_loss import PixelLoss, count_over_devices, weigh


def softmax_cross_entropy(logits: jax.Array, classes: jax.Array) -> jax.Array:
    """Cross entropies (...) of logits (..., C); classes (...), -1 where ignored."""
    # A comparison and a sum, where an index would scatter in the gradient.
    hot = classes[..., None] == jnp.arange(logits.shape[-1])
    picked = jnp.where(hot, logits, 0).sum(-1)
    loss = jax.nn.logsumexp(logits, axis=-1) - picked
    return jnp.where(classes >= 0, loss, 0)


def binary_targets(classes: jax.Array, like: jax.Array) -> jax.Array:
    """Whether each channel of logits (..., C) is the one to be high, bool.

    Args:
        classes: (...) class numbers; or (..., C) with 1 where a channel is to be high.
        like: the logits. Of a single channel, class 1 is the one it stands for.
    """
    if classes.ndim == like.ndim:
        return classes == 1
    channels = like.shape[-1]
    return classes[..., None] == (jnp.arange(channels) if channels > 1 else 1)


@dataclasses.dataclass(frozen=True)
class CrossEntropyLoss(PixelLoss):
    """mmseg's CrossEntropyLoss.

    A weighted sum of the pixels' losses over a divisor. The divisor is the number
    of all pixels, ignored ones included; with `avg_non_ignore` that of the others;
    with `class_weight` the sum of the weights of the labels, unless `weighted_mean`
    is off. Where mmseg 1.x fails on an ignored label that is no class under
    `class_weight`, it weighs nothing here. With `use_sigmoid` every channel is its own
    binary problem, `class_weight` weighs the positive pixels of its channel, and the
    label may also be (N, H, W, C), 1 where a channel is to be high.

    With `use_mask`, the label is (N, H, W) masks, numbers from 0 to 1, `weight` is
    (N,), the channel that each sample's mask belongs to, and the loss is the mean of
    its binary cross entropy, as (1,).

    Attributes:
        use_sigmoid: binary cross entropy of every channel in place of softmax.
        use_mask: binary cross entropy of one channel of each sample.
        reduction: `mean`, `sum` or `none`.
        class_weight: weights of the classes, the path of a file with them, or None; or
            `median_frequency`, `inverse_frequency` or `enet`, for which a training
            computes them from its labels.
        loss_weight: factor of the loss.
        loss_name: the name of the loss in the log; losses of one name are summed.
        avg_non_ignore: whether ignored pixels leave the divisor.
        weighted_mean: whether class_weight counts in the divisor, as in mmseg 1.x; in
            0.x it does not.
        label_smoothing: share of a label that is given to all classes alike, as torch's
            cross entropy has it (https://arxiv.org/abs/1512.00567), with softmax.
    """

    use_sigmoid: bool = False
    use_mask: bool = False
    reduction: str = "mean"
    class_weight: ClassWeight = None
    loss_weight: float = 1.0
    loss_name: str = "loss_ce"
    avg_non_ignore: bool = False
    weighted_mean: bool = True
    label_smoothing: float = 0.0

    def __post_init__(self):
        if self.use_sigmoid and self.use_mask:
            raise FieldError(
                "use_mask: true beside use_sigmoid, allowed is one of them"
            )
        if self.use_mask and self.reduction != "mean":
            raise FieldError(f"reduction: {self.reduction!r}, use_mask takes 'mean'")
        if self.use_mask and self.class_weight is not None:
            raise FieldError("class_weight: use_mask knows no weights of classes")
        if not 0 <= self.label_smoothing <= 1:
            raise FieldError(
                f"label_smoothing is {self.label_smoothing}, allowed: 0 to 1"
            )
        if self.label_smoothing and (self.use_sigmoid or self.use_mask):
            raise FieldError(
                f"label_smoothing is {self.label_smoothing}, and only the softmax has "
                "it: use_sigmoid and use_mask must be off"
            )
        check_reduction(self.reduction)
        read_field(self)

    def check_channels(self, channels):
        if channels == 1 and not self.use_sigmoid and not self.use_mask:
            raise FieldError(
                f"{self.loss_name} is the softmax of one channel, which is 1 whatever "
                "the logit: set use_sigmoid=True, or give the head two channels"
            )
        check_number(self, channels)

    def inputs(self, logits, targets):
        if self.use_mask:
            return targets.label, targets.weight
        return targets.classes, targets.weight

    def pixels(self, logits, label, weight):
        if self.use_mask:
            return self._mask(logits, label, weight)
        if self.use_sigmoid:
            loss = self._sigmoid(logits, label)
        else:
            loss = self._softmax(logits, label)
        return weigh(loss, weight)

    def _softmax(self, logits, label):
        loss, weights = softmax_cross_entropy(logits, label), None
        if self.class_weight is not None:
            weights = weights_of(self, logits.shape[-1], logits.dtype)
            loss = loss * weights[jnp.maximum(label, 0)]
        if not self.label_smoothing:
            return loss
        of_classes = -jax.nn.log_softmax(logits)
        if weights is not None:
            of_classes = of_classes * weights
        of_all = jnp.where(label >= 0, of_classes.mean(-1), 0)
        return (1 - self.label_smoothing) * loss + self.label_smoothing * of_all

    def _sigmoid(self, logits, label):
        valid = label >= 0
        if label.ndim < logits.ndim:
            valid = valid[..., None]
        positive = jax.nn.softplus(-logits)
        if self.class_weight is not None:
            positive *= weights_of(self, logits.shape[-1], logits.dtype)
        hot = binary_targets(label, logits)
        return jnp.where(valid, jnp.where(hot, positive, jax.nn.softplus(logits)), 0)

    def _mask(self, logits, masks, channels):
        if channels is None or channels.ndim != 1:
            raise ConfigError(
                "use_mask takes the channel of each sample, (N,), as weight, not "
                f"{'nothing' if channels is None else channels.shape}"
            )
        hot = channels.astype(jnp.int32)[:, None, None, None] == jnp.arange(
            logits.shape[-1]
        )
        logit = jnp.where(hot, logits, 0).sum(-1)
        return jax.nn.softplus(logit) - logit * masks.astype(logit.dtype)

    def finish(self, total, inputs, divisor):
        value = total / divisor
        return value[None] if self.use_mask else value

    def number(self, logits, targets):
        # A label of the logits' own axes has its channels already.
        by_channel = self.use_sigmoid and targets.label.ndim < logits.source.ndim
        return targets.label.size * (logits.channels if by_channel else 1)

    def mean_divisor(self, logits, targets):
        number = self.number(logits, targets)
        if self.use_mask:
            return float(number)
        if self.class_weight and self.weighted_mean and not self.use_sigmoid:
            return self._sum_of_weights(logits, targets)
        if self.avg_non_ignore:
            terms = number // targets.label.size
            return count_over_devices(targets.classes >= 0, terms)
        # mmseg takes the plain mean of a binary loss, without the epsilon.
        return number + (0.0 if self.use_sigmoid else EPS)

    def _sum_of_weights(self, logits, targets):
        """mmseg counts the weights of ignored pixels, unless avg_non_ignore is set."""
        counted = targets if self.avg_non_ignore else targets.ignoring(None)
        label = counted.classes
        is_class = (label >= 0) & (label < logits.channels)
        weights = weights_of(self, logits.channels, logits.dtype)
        weights = weights[jnp.where(is_class, label, 0)]
        return loss_divisor(jnp.where(is_class, weights, 0).sum()) + EPS

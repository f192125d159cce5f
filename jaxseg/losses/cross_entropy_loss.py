"""Softmax and sigmoid cross entropy."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.config import ConfigError
from jaxseg.layers.data_axis import loss_divisor
from jaxseg.losses.loss import Loss

_EPS = float(np.finfo(np.float32).eps)


@dataclasses.dataclass(frozen=True)
class CrossEntropyLoss(Loss):
    """mmseg's CrossEntropyLoss with the reduction `mean`.

    A weighted sum of the pixels' losses over a divisor. The divisor is the number
    of all pixels, ignored ones included; with `avg_non_ignore` that of the others;
    with `class_weight` the sum of the weights of the labels, unless `weighted_mean`
    is off. Where mmseg 1.x fails on an ignored label under `class_weight`, it weighs
    nothing here. With
    `use_sigmoid` every channel is its own binary problem, and `class_weight` weighs
    the positive pixels of its channel.

    Attributes:
        use_sigmoid: binary cross entropy a channel in place of softmax.
        class_weight: a weight a class, or None.
        loss_weight: factor of the loss.
        loss_name: its name in the log; losses of one name are summed.
        avg_non_ignore: whether ignored pixels leave the divisor.
        weighted_mean: whether class_weight counts in the divisor, as in mmseg 1.x; in
            0.x it does not.
    """

    use_sigmoid: bool = False
    class_weight: tuple[float, ...] | None = None
    loss_weight: float = 1.0
    loss_name: str = "loss_ce"
    avg_non_ignore: bool = False
    weighted_mean: bool = True

    # The loss is a sum over pixels divided by something that needs no logits.
    pixelwise = True

    def pixel_loss(self, logits, label, ignore_index):
        """Losses (N, H, W) of logits (N, H, W, C); zero where ignored."""
        valid = label != ignore_index
        label = jnp.where(valid, label, 0).astype(jnp.int32)
        loss = self._sigmoid if self.use_sigmoid else self._softmax
        return jnp.where(valid, loss(logits, label), 0)

    def _softmax(self, logits, label):
        # A comparison and a sum, where an index would scatter in the gradient.
        hot = label[..., None] == jnp.arange(logits.shape[-1])
        picked = jnp.where(hot, logits, 0).sum(-1)
        loss = jax.nn.logsumexp(logits, axis=-1) - picked
        if self.class_weight is None:
            return loss
        return loss * jnp.asarray(self._weights(logits.shape[-1]))[label]

    def _sigmoid(self, logits, label):
        channels = logits.shape[-1]
        hot = label[..., None] == (jnp.arange(channels) if channels > 1 else 1)
        positive = jax.nn.softplus(-logits)
        if self.class_weight is not None:
            positive = positive * self._weights(channels)
        return jnp.where(hot, positive, jax.nn.softplus(logits)).sum(-1)

    def _weights(self, channels):
        if len(self.class_weight) != channels:
            raise ConfigError(
                f"class_weight of {self.loss_name} has {len(self.class_weight)} "
                f"entries, the logits have {channels} channels"
            )
        return np.asarray(self.class_weight, np.float32)

    def divisor(self, label, ignore_index, channels):
        """What the sum of `pixel_loss` is divided by; label (N, H, W)."""
        valid = label != ignore_index
        terms = channels if self.use_sigmoid else 1
        weighs = self.class_weight is not None and not self.use_sigmoid
        if weighs and self.weighted_mean:
            safe = jnp.where(valid, label, 0).astype(jnp.int32)
            weights = jnp.asarray(self._weights(channels))[safe]
            return loss_divisor(jnp.where(valid, weights, 0).sum()) + _EPS
        if self.avg_non_ignore:
            return loss_divisor(valid.sum() * jnp.float32(terms)) + _EPS
        # mmseg takes the plain mean of a sigmoid loss, without the epsilon.
        return label.size * terms + (0.0 if self.use_sigmoid else _EPS)

    def __call__(self, logits, label, weight=None, ignore_index=255):
        """The loss of full-size logits.

        Args:
            logits: (N, H, W, C) float32.
            label: (N, H, W) integers below C, or ignore_index.
            weight: (N, H, W) factor of each pixel's loss, or None.
            ignore_index: the label that counts nowhere.

        Returns:
            Scalar float32, times loss_weight.
        """
        loss = self.pixel_loss(logits, label, ignore_index)
        loss = loss if weight is None else loss * weight
        divisor = self.divisor(label, ignore_index, logits.shape[-1])
        return self.loss_weight * loss.sum() / divisor

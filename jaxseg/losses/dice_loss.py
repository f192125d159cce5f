"""Dice loss, V-Net: https://arxiv.org/abs/1606.04797."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.losses.loss import Loss


def _one_hot(label, num_classes):
    """(N, H, W) -> (N, H, W, C) float32; a label outside the classes is all zero.

    Of a single channel, class 1 is the one it stands for.
    """
    classes = jnp.arange(num_classes) if num_classes > 1 else jnp.array([1])
    return (label[..., None].astype(jnp.int32) == classes).astype(jnp.float32)


def _channels(inside):
    """An axis for the channels, where `inside` is an array."""
    return np.True_ if inside is True else inside[..., None]


@dataclasses.dataclass(frozen=True)
class DiceLoss(Loss):
    """The Dice loss of mmseg 1.x: one ratio a sample, over classes and pixels.

    Ignored pixels are no one's target, yet their probabilities count in the
    denominator, as in mmseg.

    Attributes:
        use_sigmoid: probabilities by sigmoid (mmseg's default) or by softmax.
        activate: whether the logits are turned into probabilities at all.
        naive_dice: sums of values in the denominator in place of sums of squares.
        loss_weight: factor of the loss.
        ignore_index: a class whose channel is left out.
        eps: keeps the ratio defined.
        loss_name: its name in the log; losses of one name are summed.
    """

    use_sigmoid: bool = True
    activate: bool = True
    naive_dice: bool = False
    loss_weight: float = 1.0
    ignore_index: int | None = 255
    eps: float = 1e-3
    loss_name: str = "loss_dice"

    pixelwise = False

    def __call__(self, logits, label, ignore_index=255):
        """The loss of full-size logits.

        Args:
            logits: (N, H, W, C) float32.
            label: (N, H, W) integers.
            ignore_index: the head's ignored label, which is no one's target.

        Returns:
            Scalar float32, times loss_weight.
        """
        return self.of_sums(self.region_sums(logits, label, True, ignore_index))

    def region_sums(self, logits, label, inside, ignore_index=255):
        """Sums over some rows of the image, of which `of_sums` makes the loss.

        Args:
            logits: (N, rows, W, C) float32.
            label: (N, rows, W) integers.
            inside: which pixels count, (1, rows, 1) bool or True.
            ignore_index: the head's ignored label.

        Returns:
            (3, N): the overlap, and what probabilities and targets add up to.
        """
        channels = logits.shape[-1]
        target = _one_hot(jnp.where(label == ignore_index, -1, label), channels)
        kept = (np.arange(channels) != self.ignore_index) & _channels(inside)
        probability = jnp.where(kept, self._activate(logits), 0)
        target = jnp.where(kept, target, 0)
        size = probability if self.naive_dice else jnp.square(probability)
        parts = (probability * target, size, target)
        return jnp.stack([part.sum((1, 2, 3)) for part in parts])

    def of_sums(self, sums):
        """The loss, from the total of `region_sums` over the image."""
        overlap, probability, target = sums
        if self.naive_dice:
            dice = (2 * overlap + self.eps) / (probability + target + self.eps)
        else:
            dice = 2 * overlap / (probability + target + 2 * self.eps)
        return self.loss_weight * (1 - dice).mean()

    def _activate(self, logits):
        if not self.activate:
            return logits
        if self.use_sigmoid or logits.shape[-1] == 1:
            return jax.nn.sigmoid(logits)
        return jax.nn.softmax(logits, axis=-1)


@dataclasses.dataclass(frozen=True)
class DiceLossV0(Loss):
    """The Dice loss of mmseg 0.x: softmax, and the mean of one ratio a class.

    Attributes:
        smooth: added to numerator and denominator.
        exponent: of probability and target in the denominator.
        class_weight: a weight a class, or None.
        loss_weight: factor of the loss.
        ignore_index: the label whose pixels leave the numerator.
        loss_name: its name in the log; losses of one name are summed.
    """

    smooth: float = 1.0
    exponent: float = 2.0
    class_weight: tuple[float, ...] | None = None
    loss_weight: float = 1.0
    ignore_index: int = 255
    loss_name: str = "loss_dice"

    pixelwise = False

    def __call__(self, logits, label, ignore_index=255):
        """As `DiceLoss.__call__`; ignore_index of the head is not used, as in 0.x."""
        return self.of_sums(self.region_sums(logits, label, True, ignore_index))

    def region_sums(self, logits, label, inside, ignore_index=255):
        """As `DiceLoss.region_sums`, but (2, N, C): overlap and denominator."""
        del ignore_index
        channels = logits.shape[-1]
        inside = _channels(inside)
        probability = jax.nn.softmax(logits, axis=-1)
        label = label.astype(jnp.int32)
        # 0.x clips labels into the classes before it makes them one-hot.
        target = jax.nn.one_hot(jnp.clip(label, 0, channels - 1), channels)
        valid = (label != self.ignore_index)[..., None] & inside
        overlap = jnp.where(valid, probability * target, 0)
        total = probability**self.exponent + target**self.exponent
        total = jnp.where(inside, total, 0)
        return jnp.stack([overlap.sum((1, 2)), total.sum((1, 2))])

    def of_sums(self, sums):
        """The loss, from the total of `region_sums` over the image."""
        overlap, total = sums
        loss = 1 - (2 * overlap + self.smooth) / (total + self.smooth)
        loss = loss.mean(0)
        if self.class_weight is not None:
            loss = loss * jnp.asarray(self.class_weight, loss.dtype)
        # As in 0.x, the sum leaves the ignored class out, the mean counts it.
        kept = np.arange(len(loss)) != self.ignore_index
        return self.loss_weight * jnp.where(kept, loss, 0).mean()

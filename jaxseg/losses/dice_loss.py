"""Dice loss, V-Net: https://arxiv.org/abs/1606.04797."""

import dataclasses

import jax
import jax.numpy as jnp


def _one_hot(label, num_classes):
    """(N, H, W) -> (N, H, W, C) float32; a label outside the classes is all zero.

    Of a single channel, class 1 is the one it stands for.
    """
    classes = jnp.arange(num_classes) if num_classes > 1 else jnp.array([1])
    return (label[..., None].astype(jnp.int32) == classes).astype(jnp.float32)


@dataclasses.dataclass(frozen=True)
class DiceLoss:
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
        channels = logits.shape[-1]
        target = jnp.where(
            (label == ignore_index)[..., None], 0, _one_hot(label, channels)
        )
        probability = self._activate(logits)
        kept = [c for c in range(channels) if c != self.ignore_index]
        if len(kept) < channels:
            probability, target = probability[..., kept], target[..., kept]
        axes = (1, 2, 3)
        overlap = (probability * target).sum(axes)
        if self.naive_dice:
            total = probability.sum(axes) + target.sum(axes) + self.eps
            dice = (2 * overlap + self.eps) / total
        else:
            squares = jnp.square(probability).sum(axes) + target.sum(axes)
            dice = 2 * overlap / (squares + 2 * self.eps)
        return self.loss_weight * (1 - dice).mean()

    def _activate(self, logits):
        if not self.activate:
            return logits
        if self.use_sigmoid or logits.shape[-1] == 1:
            return jax.nn.sigmoid(logits)
        return jax.nn.softmax(logits, axis=-1)


@dataclasses.dataclass(frozen=True)
class DiceLossV0:
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
        del ignore_index
        channels = logits.shape[-1]
        probability = jax.nn.softmax(logits, axis=-1)
        label = label.astype(jnp.int32)
        # 0.x clips labels into the classes before it makes them one-hot.
        target = jax.nn.one_hot(jnp.clip(label, 0, channels - 1), channels)
        valid = (label != self.ignore_index)[..., None]
        overlap = (probability * target * valid).sum((1, 2))  # (N, C)
        total = (probability**self.exponent + target**self.exponent).sum((1, 2))
        loss = 1 - (2 * overlap + self.smooth) / (total + self.smooth)
        loss = loss.mean(0)
        if self.class_weight is not None:
            loss = loss * jnp.asarray(self.class_weight, loss.dtype)
        # As in 0.x, the sum leaves the ignored class out, the mean counts it.
        kept = [c for c in range(channels) if c != self.ignore_index]
        return self.loss_weight * loss[jnp.array(kept)].sum() / channels

"""Lovasz loss: https://arxiv.org/abs/1705.08790."""

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
from jaxseg.losses.loss import Loss, check_reduction, reduce


@dataclasses.dataclass(frozen=True)
class LovaszLoss(Loss):
    """The Lovasz extension of the Jaccard loss, by softmax or, of one channel, a hinge.

    It sorts the errors of all pixels, one class after another, and so needs whole
    maps. Pixels that count nowhere are left out; of a batch of nothing else it is 0.

    Attributes:
        loss_type: `multi_class`, or `binary` for logits of one channel.
        classes: `present`, the classes that the label has; `all`; or a list. The
            loss is the mean over them.
        per_image: the mean (or reduction) of one loss a sample, in place of one loss
            of the batch.
        reduction: `mean`, `sum` or `none`, with per_image; without, `none`.
        class_weight: weights of the classes, the path of a file with them, or None.
        loss_weight: factor of the loss.
        loss_name: the name of the loss in the log; losses of one name are summed.
    """

    loss_type: str = "multi_class"
    classes: str | tuple[int, ...] = "present"
    per_image: bool = False
    reduction: str = "mean"
    class_weight: ClassWeight = None
    loss_weight: float = 1.0
    loss_name: str = "loss_lovasz"

    passes = None

    def __post_init__(self):
        if self.loss_type not in ("binary", "multi_class"):
            raise FieldError(
                f"loss_type: found {self.loss_type!r}, allowed: binary, multi_class"
            )
        if isinstance(self.classes, str) and self.classes not in ("all", "present"):
            raise FieldError(
                f"classes: found {self.classes!r}, allowed: all, present, or a list of "
                "numbers"
            )
        check_reduction(self.reduction)
        if not self.per_image and self.reduction != "none":
            raise FieldError(
                f"reduction: found {self.reduction!r}, without per_image=True only "
                "'none' is allowed: there is one value"
            )
        read_field(self)

    def check_channels(self, channels):
        if (self.loss_type == "binary") != (channels == 1):
            raise FieldError(
                f"{self.loss_name} with loss_type={self.loss_type!r} does not take "
                f"logits of {channels} channels: binary takes one, multi_class several"
            )
        if self.loss_type == "multi_class":
            check_number(self, channels)
        if not isinstance(self.classes, str) and max(self.classes) >= channels:
            raise FieldError(
                f"{self.loss_name}: classes has {max(self.classes)}, the logits have "
                f"{channels} channels"
            )

    def whole(self, logits, targets):
        self.check_channels(logits.shape[-1])
        one = self._binary if self.loss_type == "binary" else self._multi_class
        label = targets.classes
        if self.per_image:
            flat = logits.reshape(len(logits), -1, logits.shape[-1])
            losses = jax.lax.map(
                lambda pair: one(*pair), (flat, label.reshape(len(label), -1))
            )
            return reduce(losses, self.reduction, None, targets.avg_factor)
        return one(logits.reshape(-1, logits.shape[-1]), label.ravel())

    def _binary(self, logits, label):
        # (P, 1), (P,)
        errors = 1 - logits[:, 0] * jnp.where(label == 1, 1, -1)
        slopes = _slopes(errors, label == 1, label >= 0)
        return (jax.nn.relu(errors) * slopes).sum()

    def _multi_class(self, logits, label):
        # (P, C), (P,)
        channels = logits.shape[-1]
        chosen = np.arange(channels)
        if not isinstance(self.classes, str):
            chosen = np.asarray(self.classes)
        probability = jax.nn.softmax(logits, axis=-1)[:, chosen]
        is_class = label[:, None] == chosen
        errors = jnp.where(is_class, 1 - probability, probability)
        valid = label >= 0
        slopes = jax.lax.map(lambda pair: _slopes(*pair, valid), (errors.T, is_class.T))
        losses = (errors.T * slopes).sum(1)
        if self.class_weight is not None:
            losses *= weights_of(self, channels, losses.dtype)[chosen]
        counted = jnp.full(len(chosen), valid.any())
        if self.classes == "present":
            counted = is_class.any(0)
        return jnp.where(counted, losses, 0).sum() / jnp.maximum(counted.sum(), 1)


def _slopes(errors, is_class, valid):
    """By how much the Jaccard loss grows with each pixel's error (P,); no gradient.

    The loss is the sum of errors times slopes: of the pixels in the order of their
    errors, the largest first, the k-th slope is the Jaccard loss of the first k minus
    that of the first k - 1 (Algorithm 1 of the paper).
    """
    errors = jax.lax.stop_gradient(errors)
    # What does not count comes last.
    order = jnp.argsort(jnp.where(valid, -errors, jnp.inf))
    wanted = (is_class & valid)[order]
    counted = valid[order]
    total = wanted.sum()
    intersection = total - jnp.cumsum(wanted)
    union = total + jnp.cumsum(counted & ~wanted)
    jaccard = 1 - intersection / jnp.maximum(union, 1).astype(errors.dtype)
    slopes = jnp.diff(jaccard, prepend=jnp.zeros(1, errors.dtype))
    slopes = jnp.where(counted, slopes, 0)
    return jnp.zeros_like(errors).at[order].set(slopes, unique_indices=True)

"""Losses of mask classification, mmdet's: one class and one mask a query.

A query is paired with a class that is in the image, or with none (`heads/matching.py`).
The losses of masks see the masks of the paired queries alone, as channels.
"""

import dataclasses

import jax
import jax.numpy as jnp

from jaxseg.errors import FieldError
from jaxseg.layers.data_axis import loss_divisor
from jaxseg.losses.loss import EPS


@dataclasses.dataclass(frozen=True)
class QueryClassLoss:
    """mmdet's CrossEntropyLoss over the classes of queries, with "no class" as the last.

    Attributes:
        use_sigmoid: False; a query has one class.
        class_weight: a weight a class, and one for "no class" at the end.
        reduction: `mean`, over the weights of the queries' classes.
        loss_weight: factor of the loss.
    """

    class_weight: tuple[float, ...]
    use_sigmoid: bool = False
    reduction: str = "mean"
    loss_weight: float = 1.0

    aliases = ("mmdet.CrossEntropyLoss",)

    def __post_init__(self):
        _check(self, use_sigmoid=False)

    def __call__(self, logits: jax.Array, label: jax.Array) -> jax.Array:
        """Logits (..., classes + 1) and classes (...) of queries -> a scalar."""
        weights = jnp.asarray(self.class_weight, logits.dtype)[label]
        log_probability = jax.nn.log_softmax(logits)
        picked = jnp.take_along_axis(log_probability, label[..., None], -1)[..., 0]
        total = -(weights * picked).sum()
        return self.loss_weight * total / (weights.sum() + EPS)


@dataclasses.dataclass(frozen=True)
class MaskFocalLoss:
    """mmdet's FocalLoss of masks. https://arxiv.org/abs/1708.02002

    Attributes:
        use_sigmoid: True; each mask stands alone.
        gamma: power of the damping factor, 1 minus the probability of the truth.
        alpha: weight of a pixel inside, 1 - alpha of one outside.
        reduction: `mean`, over the pixels of all masks.
        loss_weight: factor of the loss.
    """

    use_sigmoid: bool = True
    gamma: float = 2.0
    alpha: float = 0.25
    reduction: str = "mean"
    loss_weight: float = 1.0

    aliases = ("mmdet.FocalLoss",)

    def __post_init__(self):
        _check(self, use_sigmoid=True)

    def strip(self, logits: jax.Array, hot: jax.Array, counts: jax.Array) -> jax.Array:
        """The sum over some rows.

        Args:
            logits: (N, rows, W, K), a channel a mask.
            hot: where a pixel is inside of its mask, as logits.
            counts: what counts, broadcast to logits.
        """
        # The logit of the wrong answer, whose probability is 1 minus the truth's.
        wrong = jnp.where(hot, -logits, logits)
        loss = jax.nn.softplus(wrong) * jax.nn.sigmoid(wrong) ** self.gamma
        loss = loss * jnp.where(hot, self.alpha, 1 - self.alpha)
        return jnp.where(counts, loss, 0).sum()

    def finish(self, total: jax.Array, masks: jax.Array, pixels: int) -> jax.Array:
        """The loss, of the sum over all rows, the number of masks and of pixels."""
        return self.loss_weight * total / (masks * pixels + EPS)


@dataclasses.dataclass(frozen=True)
class MaskCrossEntropyLoss:
    """mmdet's CrossEntropyLoss of masks: binary, over pixels or points.

    Attributes:
        use_sigmoid: True; each mask stands alone.
        reduction: `mean`, over the pixels of all masks.
        loss_weight: factor of the loss.
    """

    use_sigmoid: bool = False
    reduction: str = "mean"
    loss_weight: float = 1.0

    aliases = ("mmdet.CrossEntropyLoss",)

    def __post_init__(self):
        _check(self, use_sigmoid=True)

    def strip(self, logits: jax.Array, hot: jax.Array, counts: jax.Array) -> jax.Array:
        """The sum over some rows.

        Args:
            logits: (N, rows, W, K), a channel a mask; points are rows of one pixel.
            hot: where a pixel is inside of its mask, or how much of it, as logits.
            counts: what counts, broadcast to logits.
        """
        loss = jax.nn.softplus(logits) - logits * hot
        return jnp.where(counts, loss, 0).sum()

    def finish(self, total: jax.Array, masks: jax.Array, pixels: int) -> jax.Array:
        """The loss, of the sum over all rows, the number of masks and of pixels."""
        return self.loss_weight * total / (masks * pixels + EPS)


@dataclasses.dataclass(frozen=True)
class MaskDiceLoss:
    """mmdet's DiceLoss of masks. https://arxiv.org/abs/1606.04797

    Attributes:
        use_sigmoid, activate: True; a mask's logits become probabilities.
        reduction: `mean` over the masks.
        naive_dice: sums of values in the denominator in place of sums of squares.
        loss_weight: factor of the loss.
        eps: keeps the ratio defined: added to its both sides, or, of squares, twice to
            the denominator.
    """

    use_sigmoid: bool = True
    activate: bool = True
    reduction: str = "mean"
    naive_dice: bool = False
    loss_weight: float = 1.0
    eps: float = 1e-3

    aliases = ("mmdet.DiceLoss",)

    def __post_init__(self):
        _check(self, use_sigmoid=True)
        if not self.activate:
            raise FieldError("activate is False, allowed: True")

    def strip(self, logits: jax.Array, hot: jax.Array, counts: jax.Array) -> jax.Array:
        """(3, N, K) sums over some rows: of the overlap, of probabilities, of the truth.

        Args:
            logits, hot, counts: as of `MaskCrossEntropyLoss.strip`.
        """
        probability = jnp.where(counts, jax.nn.sigmoid(logits), 0)
        truth = jnp.where(counts, hot, 0).astype(logits.dtype)
        sizes = (probability, truth)
        if not self.naive_dice:
            sizes = map(jnp.square, sizes)
        parts = (probability * truth, *sizes)
        return jnp.stack([part.sum((1, 2)) for part in parts])

    def finish(self, sums: jax.Array, paired: jax.Array, masks: jax.Array) -> jax.Array:
        """The loss, of the sums over all rows.

        Args:
            sums: (3, N, K).
            paired: (N, K) bool, which masks there are.
            masks: the number of masks.
        """
        overlap, size, truth = sums
        if self.naive_dice:
            ratio = (2 * overlap + self.eps) / (size + truth + self.eps)
        else:
            ratio = 2 * overlap / (size + truth + 2 * self.eps)
        loss = 1 - ratio
        return self.loss_weight * jnp.where(paired, loss, 0).sum() / (masks + EPS)


def count_of_masks(paired: jax.Array) -> jax.Array:
    """What losses of masks are divided by: paired (N, K) bool -> a scalar.

    As in mmdet an image without any counts as one, and devices share the mean.
    """
    count = jnp.maximum(paired.sum(-1), 1).sum()
    return jnp.maximum(loss_divisor(count.astype(jnp.float32)), 1)


def _check(loss, use_sigmoid):
    if loss.use_sigmoid != use_sigmoid:
        raise FieldError(f"use_sigmoid is {loss.use_sigmoid}, allowed: {use_sigmoid}")
    if loss.reduction != "mean":
        raise FieldError(f"reduction is {loss.reduction!r}, allowed: 'mean'")

"""Matching of queries and classes, with mmdet's entries for its costs.

Every class that is in an image is paired with the query that predicts it best, all in
all: https://arxiv.org/abs/2005.12872.
"""

import dataclasses

import jax
import jax.numpy as jnp

from jaxseg.errors import FieldError
from jaxseg.ops.assignment import assign_rows


class MatchCost:
    """The role of an entry of `match_costs`."""

    def __call__(
        self, scores: jax.Array, masks: jax.Array, truth: jax.Array
    ) -> jax.Array:
        """The cost of every pair in one image.

        Args:
            scores: (Q, classes + 1), logits of the queries' classes.
            masks: (pixels, Q), logits of their masks.
            truth: (pixels, classes), 1 where a pixel is of a class, else 0.

        Returns:
            (Q, classes).
        """
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class ClassificationCost(MatchCost):
    """The probability of the class, negative.

    Attributes:
        weight: factor of the cost.
    """

    weight: float = 1.0

    aliases = ("mmdet.ClassificationCost",)

    def __call__(self, scores, masks, truth):
        return -self.weight * jax.nn.softmax(scores)[:, : truth.shape[1]]


@dataclasses.dataclass(frozen=True)
class FocalLossCost(MatchCost):
    """The focal loss of the mask, over the pixels.

    Attributes:
        alpha, gamma: as of the focal loss.
        eps: added to a probability before its logarithm.
        binary_input: True: the masks are compared, not the classes.
        weight: factor of the cost.
    """

    alpha: float = 0.25
    gamma: float = 2.0
    eps: float = 1e-12
    binary_input: bool = False
    weight: float = 1.0

    aliases = ("mmdet.FocalLossCost",)

    def __post_init__(self):
        if not self.binary_input:
            raise FieldError("binary_input is False, allowed: True")

    def __call__(self, scores, masks, truth):
        # Not 1 - p: XLA adds eps to that 1 first, which is 1 in float32, and of a p of
        # 1 the logarithm of 0 is left.
        p, q = jax.nn.sigmoid(masks), jax.nn.sigmoid(-masks)
        outside = -jnp.log(q + self.eps) * (1 - self.alpha) * p**self.gamma
        inside = -jnp.log(p + self.eps) * self.alpha * q**self.gamma
        cost = _product(inside, truth) + _product(outside, 1 - truth)
        return self.weight * cost / len(masks)


@dataclasses.dataclass(frozen=True)
class DiceCost(MatchCost):
    """The Dice loss of the mask.

    Attributes:
        pred_act: True: a mask's logits become probabilities.
        eps: keeps the ratio defined.
        naive_dice: sums of values in the denominator in place of sums of squares.
        weight: factor of the cost.
    """

    pred_act: bool = False
    eps: float = 1e-3
    naive_dice: bool = True
    weight: float = 1.0

    aliases = ("mmdet.DiceCost",)

    def __call__(self, scores, masks, truth):
        p = jax.nn.sigmoid(masks) if self.pred_act else masks
        size = p if self.naive_dice else jnp.square(p)
        total = size.sum(0)[:, None] + truth.sum(0)
        overlap = 2 * _product(p, truth)
        return self.weight * (1 - (overlap + self.eps) / (total + self.eps))


def _product(of_queries, of_classes):
    """(pixels, Q), (pixels, classes) -> (Q, classes), sums over the pixels."""
    return jnp.matmul(of_queries.T, of_classes, precision=jax.lax.Precision.HIGHEST)


@dataclasses.dataclass(frozen=True)
class HungarianAssigner:
    """Pairs of the smallest sum of costs.

    Attributes:
        match_costs: the costs, which are added.
    """

    match_costs: tuple[MatchCost, ...]

    aliases = ("mmdet.HungarianAssigner",)

    def __call__(
        self,
        scores: jax.Array,
        masks: jax.Array,
        label: jax.Array,
        present: jax.Array,
    ) -> tuple[jax.Array, jax.Array]:
        """Pairs the classes of each image with queries; without a gradient.

        Args:
            scores: (N, Q, classes + 1).
            masks: (N, h, w, Q).
            label: (N, h, w) class numbers at the size of the masks.
            present: (N, classes) bool, which classes are in an image.

        Returns:
            query: (N, classes) int32, the query of each class, 0 where it has none.
            paired: (N, classes) bool.
        """
        scores, masks = jax.lax.stop_gradient((scores, masks))
        wide = jnp.promote_types(scores.dtype, jnp.float32)
        classes = jnp.arange(present.shape[1])

        def of_image(image):
            scores, masks, label, present = image
            masks = masks.reshape(-1, masks.shape[-1]).astype(wide)
            truth = (label.reshape(-1, 1) == classes).astype(wide)
            costs = [
                cost(scores.astype(wide), masks, truth) for cost in self.match_costs
            ]
            return assign_rows(sum(costs), present)

        return jax.lax.map(of_image, (scores, masks, label, present))


@dataclasses.dataclass(frozen=True)
class MaskPseudoSampler:
    """mmdet's name for taking all pairs."""

    aliases = ("mmdet.MaskPseudoSampler",)


@dataclasses.dataclass(frozen=True)
class MatchingCfg:
    """`train_cfg` of a head that classifies masks.

    Attributes:
        assigner: pairs classes with queries.
        sampler: which pairs are taken: all.
    """

    assigner: HungarianAssigner
    sampler: MaskPseudoSampler = MaskPseudoSampler()

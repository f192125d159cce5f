"""Matching of queries and classes, with mmdet's entries for its costs.

Every class that is in an image is paired with the query that predicts it best, all in
all: https://arxiv.org/abs/2005.12872.
"""

import dataclasses

import jax
import jax.numpy as jnp

from jaxseg.errors import FieldError
from jaxseg.ops.assignment import assign_rows
from jaxseg.ops.narrow import wide


class MatchCost:
    """The role of an entry of `match_costs`."""

    def __call__(
        self, scores: jax.Array, masks: jax.Array, truth: jax.Array
    ) -> jax.Array:
        """The cost of every pair in one image.

        Args:
            scores: (Q, classes + 1), logits of the queries' classes.
            masks: (pixels, Q), logits of their masks, at pixels or at points.
            truth: (pixels, classes), 1 where a pixel is of a class, else 0; between
                pixels, the share of the class.

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
class CrossEntropyLossCost(MatchCost):
    """The binary cross entropy of the mask, over the pixels.

    Attributes:
        use_sigmoid: True; each mask stands alone.
        weight: factor of the cost.
    """

    use_sigmoid: bool = True
    weight: float = 1.0

    aliases = ("mmdet.CrossEntropyLossCost",)

    def __post_init__(self):
        if not self.use_sigmoid:
            raise FieldError("use_sigmoid is False, allowed: True")

    def __call__(self, scores, masks, truth):
        outside = jax.nn.softplus(masks).sum(0)[:, None]
        return self.weight * (outside - _product(masks, truth)) / len(masks)


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
        truth: jax.Array,
        present: jax.Array,
    ) -> tuple[jax.Array, jax.Array]:
        """Pairs the classes of one image with queries.

        Args:
            scores, masks: as of `MatchCost`, in any floating type.
            truth: (pixels, classes), how much of a pixel is of a class.
            present: (classes,) bool, which classes are in the image.

        Returns:
            query: (classes,) int32, the query of each class, 0 where it has none.
            paired: (classes,) bool.
        """
        scores, masks = wide(scores), wide(masks)
        truth = truth.astype(masks.dtype)
        costs = [cost(scores, masks, truth) for cost in self.match_costs]
        return assign_rows(sum(costs), present)


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


@dataclasses.dataclass(frozen=True)
class PointMatchingCfg(MatchingCfg):
    """`train_cfg` of a head that compares masks at points.

    Attributes:
        num_points: points of an image in the matching, and of a mask in the losses.
        oversample_ratio: how many times as many are drawn for a mask, to choose from.
        importance_sample_ratio: share of a mask's points that are chosen as the least
            certain; the others are drawn once more.
    """

    num_points: int = 12544
    oversample_ratio: float = 3.0
    importance_sample_ratio: float = 0.75

    def __post_init__(self):
        if self.oversample_ratio < 1 or not 0 <= self.importance_sample_ratio <= 1:
            raise FieldError(
                f"oversample_ratio is {self.oversample_ratio}, allowed: from 1; "
                f"importance_sample_ratio is {self.importance_sample_ratio}, allowed: "
                "0 to 1"
            )

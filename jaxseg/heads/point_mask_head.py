"""Mask classification whose masks are compared at points: Mask2Former's training.

https://arxiv.org/abs/2112.01527
"""

import jax
import jax.numpy as jnp

from jaxseg.heads.mask_classification import (
    CHUNK,
    MaskClassificationHead,
    MaskClassifier,
    embeddings_of,
    masks_of,
)
from jaxseg.heads.matching import PointMatchingCfg
from jaxseg.layers.draws import part_of, rounds
from jaxseg.losses.mask_losses import (
    MaskCrossEntropyLoss,
    count_of_masks,
)
from jaxseg.ops.narrow import wide
from jaxseg.ops.point_sample import point_sample, share_of_class


class PointMaskClassifier(MaskClassifier, kw_only=True):
    """What heads have in common whose masks are paired and trained at points.

    Queries are paired with classes at points that are drawn from the stream `sample`,
    the same for all masks of an image. A mask is trained at points of its own, most of
    them the least certain of many.

    One adds `loss_mask` and `loss_dice`; its `train_cfg` is a PointMatchingCfg.
    """

    def losses_of_layer(self, scores, embeddings, features, truth, draws):
        """The losses of what the queries say in one layer.

        Args:
            scores, embeddings: of `Outputs`, of one layer: (N, Q, C).
            features: (N, h, w, D).
            truth: what `truth` gives.
            draws: of the layer, what `draws` gives.

        Returns:
            Those of classes, of the masks' cross entropy and of their Dice loss.
        """
        label, present = truth
        of_matching, *of_masks = draws
        fixed = jax.lax.stop_gradient((scores, features, embeddings))
        pairs = self._pairs(*fixed, label, present, of_matching)
        entropy, dice = self._of_masks(embeddings, features, label, *pairs, of_masks)
        return self.class_loss(scores, *pairs), entropy, dice

    def count_of_masks(self, paired: jax.Array) -> jax.Array:
        """What losses of masks are divided by: paired (N, K) bool -> a scalar."""
        return count_of_masks(paired)

    def draws(self, batch, layers):
        """Of each layer: points to match at, points to choose from, and further ones."""
        points, drawn, chosen = self._numbers_of_points()
        shapes = [(batch, points, 2), (batch, self.pair_slots, drawn, 2)]
        if chosen < points:
            shapes.append((batch, self.pair_slots, points - chosen, 2))
        return rounds(self, layers, shapes)

    def _numbers_of_points(self):
        """Of a mask's points: all, those drawn to choose from, and those chosen."""
        cfg = self.train_cfg
        drawn = int(cfg.num_points * cfg.oversample_ratio)
        return cfg.num_points, drawn, int(cfg.importance_sample_ratio * cfg.num_points)

    def _pairs(self, scores, features, embeddings, label, present, draw):
        """Pairs of classes with queries."""
        masks = masks_of(features, embeddings)
        shape = (self.train_cfg.num_points, 2)
        points = part_of(draw, 0, shape, wide(masks).dtype)
        masks = point_sample(masks, points)
        classes = jnp.arange(self.num_classes)

        def of_image(image):
            scores, masks, label, present, points = image
            truth = share_of_class(label[None], points[None], classes)[0]
            return self.train_cfg.assigner(scores, masks, truth, present)

        return jax.lax.map(of_image, (scores, masks, label, present, points))

    def _of_masks(self, embeddings, features, label, query, paired, draws):
        """The cross entropy and the Dice loss of the paired queries' masks."""
        masks = self.count_of_masks(paired)

        def of_chunk(i, classes, counts):
            chosen = jnp.take_along_axis(query, classes, 1)
            maps = wide(masks_of(features, embeddings_of(embeddings, chosen)))
            # Every mask is an image of its own: (N * K, h, w, 1).
            maps = jnp.moveaxis(maps, -1, 1)
            maps = maps.reshape(-1, *maps.shape[2:], 1)
            points = self._points(jax.lax.stop_gradient(maps), draws, i)
            logits = point_sample(maps, points).reshape(len(label), CHUNK, -1)
            points = points.reshape(len(label), -1, 2)
            wanted = jnp.repeat(classes, logits.shape[2], axis=1)[..., None]
            truth = share_of_class(label, points, wanted).reshape(logits.shape)
            # As the losses take them: (N, points, 1, K).
            logits, truth = (jnp.moveaxis(x, 1, 2)[:, :, None] for x in (logits, truth))
            counted = counts[:, None, None]
            entropy = self.loss_mask.strip(logits, truth, counted)
            dice = self.loss_dice.strip(logits, truth, counted)
            return entropy, self.loss_dice.finish(dice, counts, masks)

        entropy, dice = self.over_pairs(of_chunk, query, paired, features)
        return self.loss_mask.finish(entropy, masks, self.train_cfg.num_points), dice

    def _points(self, maps, draws, i):
        """Where the i-th chunk of masks (N * K, h, w, 1) is trained: (N * K, P, 2)."""
        number, drawn, chosen = self._numbers_of_points()
        points = part_of(draws[0], i, (CHUNK, drawn, 2), maps.dtype)
        points = points.reshape(-1, drawn, 2)
        uncertainty = -jnp.abs(point_sample(maps, points)[..., 0])
        _, index = jax.lax.top_k(uncertainty, chosen)
        points = jnp.take_along_axis(points, index[..., None], axis=1)
        if chosen == number:
            return points
        others = number - chosen
        more = part_of(draws[1], i, (CHUNK, others, 2), maps.dtype)
        return jnp.concatenate([points, more.reshape(-1, others, 2)], axis=1)


class PointMaskHead(PointMaskClassifier, MaskClassificationHead, kw_only=True):
    """The base of heads whose outputs are `Outputs`, and are trained at points.

    Attributes:
        loss_mask: a loss of masks.
        train_cfg: how queries are paired with classes, and at how many points.
        The others are MaskClassificationHead's.
    """

    loss_mask: MaskCrossEntropyLoss
    train_cfg: PointMatchingCfg | None = None

    def loss(self, outputs, targets):
        truth = self.truth(targets)
        draws = self.draws(*outputs.scores.shape[:2])

        def of_layer(scores, embeddings, draws):
            names = ("loss_cls", "loss_mask", "loss_dice")
            found = self.losses_of_layer(
                scores, embeddings, outputs.features, truth, draws
            )
            return dict(zip(names, found, strict=True))

        return self.by_layer(outputs, of_layer, draws)

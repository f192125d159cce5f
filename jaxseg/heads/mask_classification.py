"""Mask classification: a head whose queries each predict one class and one mask.

MaskFormer, https://arxiv.org/abs/2107.06278
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxseg.errors import FieldError
from jaxseg.heads.head import Head
from jaxseg.heads.matching import MatchingCfg
from jaxseg.layers.conv import torch_start
from jaxseg.layers.transformer import Linear
from jaxseg.losses.mask_losses import MaskDiceLoss, QueryClassLoss
from jaxseg.ops.narrow import wide

# Masks whose losses are computed at once; what no image has so many of is skipped.
CHUNK = 8


class Outputs(NamedTuple):
    """What the queries say layer by layer, the last time the prediction.

    Attributes:
        scores: (N, layers, Q, classes + 1), logits of each query's class.
        embeddings: (N, layers, Q, D), of its mask.
        features: (N, h, w, D); a mask's logits are the products with its embedding.
    """

    scores: jax.Array
    embeddings: jax.Array
    features: jax.Array


class MaskClassifier(Head, kw_only=True):
    """What heads have in common whose queries each predict a class and a mask.

    One adds `num_queries`, `train_cfg`, which pairs queries with classes, and
    `loss_cls`, as fields or as properties.
    """

    def logits(self, outputs):
        """The masks of the last layer's queries, (N, h, w, Q)."""
        return masks_of(outputs.features, outputs.embeddings[:, -1])

    def per_image(self, outputs):
        """The probabilities of the queries' classes, (N, Q, classes)."""
        scores = outputs.scores[:, -1]
        return jax.nn.softmax(wide(scores))[..., :-1]

    def scores(self, maps, per_image):
        """Each class's probability-weighted sum of masks, (N, rows, W, classes)."""
        return jnp.einsum(
            "nhwq,nqc->nhwc",
            jax.nn.sigmoid(maps),
            per_image.astype(maps.dtype),
            precision=jax.lax.Precision.HIGHEST,
        )

    def truth(self, targets: Mapping[str, jax.Array]) -> tuple[jax.Array, jax.Array]:
        """The labels (N, H, W), -1 where ignored, and who is there, (N, classes)."""
        if self.train_cfg is None:
            raise FieldError("train_cfg: is None; training needs its assigner")
        label = targets["gt_seg_map"].astype(jnp.int32)
        label = jnp.where(label == self.ignore_index, -1, label)
        classes = jnp.arange(self.num_classes)
        present = jax.lax.map(lambda one: (one.reshape(-1, 1) == classes).any(0), label)
        return label, present

    def by_layer(
        self, outputs: Outputs, of_layer: Callable[..., dict], more: Any = ()
    ) -> dict[str, jax.Array]:
        """The losses of every layer, by name.

        Args:
            outputs: of the head.
            of_layer: from a layer's scores and embeddings, and its part of `more`, to
                its losses.
            more: arrays whose first axis is the layers.
        """

        def body(carry, layer):
            return carry, of_layer(*layer)

        layers = (outputs.scores.swapaxes(0, 1), outputs.embeddings.swapaxes(0, 1))
        _, values = jax.lax.scan(body, None, (*layers, more))
        last = outputs.scores.shape[1] - 1
        losses = {name: of_layers[last] for name, of_layers in values.items()}
        for i in range(last):
            losses |= {f"d{i}.{name}": values[name][i] for name in values}
        return losses

    def class_loss(self, scores, query, paired):
        """The loss of the queries' classes; query and paired are (N, classes)."""
        nothing = self.num_classes
        wanted = jnp.full(scores.shape[:2], nothing) + query[:, :1] * 0
        rows = jnp.arange(len(query))[:, None]
        # A pair's class reaches its query; the others write past the end, to no one.
        place = jnp.where(paired, query, self.num_queries)
        classes = jnp.arange(nothing, dtype=wanted.dtype)
        wanted = wanted.at[rows, place].set(classes, mode="drop")
        return self.loss_cls(wide(scores), wanted)

    @property
    def pair_slots(self) -> int:
        """How many pairs an image may have, in whole chunks."""
        return -(-min(self.num_queries, self.num_classes) // CHUNK) * CHUNK

    def over_pairs(
        self, of_chunk: Callable[..., jax.Array], query, paired, like: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Two sums over the pairs, which are gone through a few at a time.

        Args:
            of_chunk: from the chunk's number, the classes (N, CHUNK) of its pairs, in
                the order of their queries, and which of them count to two scalars.
            query, paired: (N, classes).
            like: whatever varies over the devices as the pairs do.
        """
        order = jnp.argsort(jnp.where(paired, query, self.num_queries), axis=1)
        order = order[:, : self.pair_slots]
        order = jnp.pad(order, ((0, 0), (0, -order.shape[1] % CHUNK)))
        counted = jnp.arange(order.shape[1]) < paired.sum(1, keepdims=True)
        zero = wide(like[(0,) * like.ndim] * 0)

        def body(carry, chunk):
            new = jax.lax.cond(
                chunk[2].any(), of_chunk, lambda *_: (zero, zero), *chunk
            )
            return carry, new

        chunks = [
            jnp.moveaxis(x.reshape(len(x), -1, CHUNK), 1, 0) for x in (order, counted)
        ]
        _, sums = jax.lax.scan(body, None, (jnp.arange(len(chunks[0])), *chunks))
        return sums[0].sum(), sums[1].sum()


class MaskClassificationHead(MaskClassifier, kw_only=True):
    """The base of heads whose outputs are `Outputs`.

    Attributes:
        in_channels: channels of each input.
        feat_channels: channels of the pixel decoder's levels.
        out_channels: channels of a mask's embedding.
        num_queries: number of queries.
        loss_cls, loss_dice: the losses of classes and masks.
        train_cfg: how queries are paired with classes.
    """

    in_channels: tuple[int, ...]
    feat_channels: int
    out_channels: int
    num_queries: int = 100
    loss_cls: QueryClassLoss
    loss_dice: MaskDiceLoss
    train_cfg: MatchingCfg | None = None

    class_modules = ("cls_embed",)

    @classmethod
    def for_classes(cls, entry, count):
        loss = dict(entry["loss_cls"])
        loss["class_weight"] = (1.0,) * count + (loss["class_weight"][-1],)
        return {**entry, "num_classes": count, "loss_cls": loss}

    def __post_init__(self):
        if self.align_corners:
            raise FieldError(
                f"align_corners is True; {type(self).__name__} resizes masks without it"
            )
        if len(self.loss_cls.class_weight) != self.num_classes + 1:
            raise FieldError(
                f"loss_cls.class_weight has {len(self.loss_cls.class_weight)} entries; "
                f"num_classes={self.num_classes} takes {self.num_classes + 1}, the last "
                "for queries without a class"
            )
        super().__post_init__()

    def predictors(
        self, act: Callable[[jax.Array], jax.Array] = jax.nn.relu
    ) -> tuple[Callable[[jax.Array], jax.Array], Callable[[jax.Array], jax.Array]]:
        """The layers from queries (..., C) to scores, and to embeddings of masks.

        Args:
            act: the activation between the layers to embeddings.
        """
        width = self.feat_channels
        start = torch_start(width)
        classify = Linear(self.num_classes + 1, **start, name="cls_embed")
        layers = [
            Linear(features, **start, name=f"mask_embed.{item}")
            for item, features in ((0, width), (2, width), (4, self.out_channels))
        ]

        def embed(x):
            for layer in layers[:-1]:
                x = act(layer(x))
            return layers[-1](x)

        return classify, embed


def embeddings_of(embeddings: jax.Array, query: jax.Array) -> jax.Array:
    """(N, Q, D), (N, K) numbers of queries -> (N, K, D)."""
    # In float32, since their gradients are added up where they come from.
    rows = jnp.take_along_axis(wide(embeddings), query[..., None], 1)
    return rows.astype(embeddings.dtype)


def masks_of(features: jax.Array, embeddings: jax.Array) -> jax.Array:
    """(N, h, w, D), (N, K, D) -> the logits of K masks, (N, h, w, K)."""
    return jnp.einsum("nhwd,nkd->nhwk", features, embeddings)

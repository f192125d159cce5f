"""MaskFormer: https://arxiv.org/abs/2107.06278."""

from collections.abc import Mapping
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.errors import FieldError
from jaxseg.heads.head import Head
from jaxseg.heads.matching import MatchingCfg
from jaxseg.layers.conv import Conv2d, caffe2_xavier, torch_start
from jaxseg.layers.detr import DetrDecoderCfg, DetrTransformerDecoder
from jaxseg.layers.pixel_decoder import PixelDecoder
from jaxseg.layers.positional_encoding import SinePositionalEncoding
from jaxseg.layers.transformer import Linear
from jaxseg.losses.mask_losses import (
    MaskDiceLoss,
    MaskFocalLoss,
    QueryClassLoss,
    count_of_masks,
)
from jaxseg.ops.narrow import wide
from jaxseg.ops.resize import resize
from jaxseg.ops.strips.sums import Term, strip_sums
from jaxseg.ops.strips.upsampled import Upsampled

# Masks that are upsampled at once; what no image has so many of is skipped.
_CHUNK = 8


class Outputs(NamedTuple):
    """What the queries say after each decoder layer, the last one the prediction.

    Attributes:
        scores: (N, layers, Q, classes + 1), logits of each query's class.
        embeddings: (N, layers, Q, D), of its mask.
        features: (N, h, w, D); a mask's logits are the products with its embedding.
    """

    scores: jax.Array
    embeddings: jax.Array
    features: jax.Array


class MaskFormerHead(Head, kw_only=True):
    """Queries that each predict one class and one mask.

    Attributes:
        in_channels: channels of each input.
        in_index: which of the backbone's outputs, the finest first.
        feat_channels: channels of the pixel decoder's levels.
        out_channels: channels of a mask's embedding.
        num_queries: number of queries.
        pixel_decoder: entry that makes the mask features.
        enforce_decoder_input_project: whether the memory is projected also where it
            has the queries' width.
        positional_encoding: the encoding of the memory.
        transformer_decoder: the layers that the queries pass.
        loss_cls, loss_mask, loss_dice: the losses of classes and masks.
        train_cfg: how queries are paired with classes.
    """

    in_channels: tuple[int, ...]
    in_index: tuple[int, ...]
    feat_channels: int
    out_channels: int
    num_queries: int = 100
    pixel_decoder: PixelDecoder
    enforce_decoder_input_project: bool = False
    positional_encoding: SinePositionalEncoding
    transformer_decoder: DetrDecoderCfg
    loss_cls: QueryClassLoss
    loss_mask: MaskFocalLoss
    loss_dice: MaskDiceLoss
    train_cfg: MatchingCfg | None = None

    def __post_init__(self):
        if self.align_corners:
            raise FieldError(
                "align_corners is True; MaskFormerHead resizes masks without it"
            )
        if len(self.loss_cls.class_weight) != self.num_classes + 1:
            raise FieldError(
                f"loss_cls.class_weight has {len(self.loss_cls.class_weight)} entries; "
                f"num_classes={self.num_classes} takes {self.num_classes + 1}, the last "
                "for queries without a class"
            )
        super().__post_init__()

    @nn.compact
    def __call__(self, inputs, train: bool) -> Outputs:
        """Maps (N, h, w, c), the finest first -> `Outputs`."""
        inputs = [inputs[i] for i in self.in_index]
        decoder = self.transformer_decoder
        features, memory = self.pixel_decoder(
            self.feat_channels, self.out_channels, name="pixel_decoder"
        )(inputs, train)
        places = self.positional_encoding(memory.shape[1:3])
        places = places.astype(jnp.promote_types(memory.dtype, jnp.float32))
        width = decoder.embed_dims
        if memory.shape[-1] != width or self.enforce_decoder_input_project:
            memory = Conv2d(
                width, kernel_init=caffe2_xavier, name="decoder_input_proj"
            )(memory)
        memory = memory.reshape(len(memory), -1, width)  # (N, h * w, C)
        query_pos = self._query_positions(width)
        queries = jnp.zeros_like(memory, shape=(len(memory), *query_pos.shape))
        decoded = DetrTransformerDecoder(decoder, name="transformer_decoder")(
            queries, memory, query_pos, places.reshape(-1, width), train
        )  # (N, layers, Q, C)
        x = decoded
        for item in (0, 2):
            x = jax.nn.relu(_linear(x, self.feat_channels, f"mask_embed.{item}"))
        embeddings = _linear(x, self.out_channels, "mask_embed.4")
        scores = _linear(decoded, self.num_classes + 1, "cls_embed")
        return Outputs(scores, embeddings, features)

    def _query_positions(self, width):
        table = _Embedding(self.num_queries, width, name="query_embed")
        return table()

    def logits(self, outputs):
        """The masks of the last layer's queries, (N, h, w, Q)."""
        return _masks(outputs.features, outputs.embeddings[:, -1])

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

    def loss(self, outputs, targets: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        if self.train_cfg is None:
            raise FieldError("train_cfg: is None; training needs its assigner")
        label = targets["gt_seg_map"].astype(jnp.int32)
        label = jnp.where(label == self.ignore_index, -1, label)
        classes = jnp.arange(self.num_classes)
        present = jax.lax.map(lambda one: (one.reshape(-1, 1) == classes).any(0), label)
        small = label[..., None].astype(jnp.float32)
        small = resize(small, outputs.features.shape[1:3], mode="nearest")[..., 0]

        def of_layer(carry, layer):
            scores, embeddings = layer
            masks = _masks(outputs.features, embeddings)
            pairs = self.train_cfg.assigner(scores, masks, small, present)
            return carry, self._of_layer(scores, embeddings, outputs, label, *pairs)

        layers = (outputs.scores.swapaxes(0, 1), outputs.embeddings.swapaxes(0, 1))
        _, values = jax.lax.scan(of_layer, None, layers)
        last = outputs.scores.shape[1] - 1
        losses = {name: of_layers[last] for name, of_layers in values.items()}
        for i in range(last):
            losses |= {f"d{i}.{name}": values[name][i] for name in values}
        return losses

    def _of_layer(self, scores, embeddings, outputs, label, query, paired):
        """The losses of one layer; query and paired are (N, classes)."""
        nothing = self.num_classes
        wanted = jnp.full(scores.shape[:2], nothing) + query[:, :1] * 0
        rows = jnp.arange(len(query))[:, None]
        # A pair's class reaches its query; the others write past the end, to no one.
        place = jnp.where(paired, query, self.num_queries)
        classes = jnp.arange(nothing, dtype=wanted.dtype)
        wanted = wanted.at[rows, place].set(classes, mode="drop")
        dtype = jnp.promote_types(scores.dtype, jnp.float32)
        focal, dice = self._of_masks(embeddings, outputs.features, label, query, paired)
        return {
            "loss_cls": self.loss_cls(scores.astype(dtype), wanted),
            "loss_mask": focal,
            "loss_dice": dice,
        }

    def _of_masks(self, embeddings, features, label, query, paired):
        """The focal and the Dice loss of the paired queries' masks at the label's size.

        The pairs of an image come first, and are gone through a few at a time.
        """
        order = jnp.argsort(~paired, axis=1, stable=True)
        slots = min(self.num_queries, self.num_classes)
        order = order[:, : -(-slots // _CHUNK) * _CHUNK]
        order = jnp.pad(order, ((0, 0), (0, -order.shape[1] % _CHUNK)))
        counted = jnp.arange(order.shape[1]) < paired.sum(1, keepdims=True)
        masks = count_of_masks(paired)
        size = label.shape[1:]

        def of_chunk(classes, counts):
            chosen = jnp.take_along_axis(query, classes, 1)
            # In float32, since their gradients are added up where they come from.
            rows = jnp.take_along_axis(wide(embeddings), chosen[..., None], 1)
            maps = _masks(features, rows.astype(features.dtype))  # (N, h, w, _CHUNK)
            terms = (
                Term(self._focal_strip, (label, classes, counts), passes=1),
                Term(self._dice_strip, (label, classes, counts), passes=2),
            )
            focal, dice = strip_sums(terms, Upsampled(maps, size))
            return focal, self.loss_dice.finish(dice, counts, masks)

        def body(carry, chunk):
            classes, counts = chunk
            zero = (features[0, 0, 0, 0] * 0).astype(
                jnp.promote_types(features.dtype, jnp.float32)
            )
            new = jax.lax.cond(
                counts.any(), of_chunk, lambda *_: (zero, zero), classes, counts
            )
            return carry, new

        chunks = [
            jnp.moveaxis(x.reshape(len(x), -1, _CHUNK), 1, 0) for x in (order, counted)
        ]
        _, (focal, dice) = jax.lax.scan(body, None, tuple(chunks))
        pixels = size[0] * size[1]
        return self.loss_mask.finish(focal.sum(), masks, pixels), dice.sum()

    def _focal_strip(self, logits, inside, label, classes, counts):
        hot = label[..., None] == classes[:, None, None]
        counts = inside[..., None] & counts[:, None, None]
        return self.loss_mask.strip(logits, hot, counts)

    def _dice_strip(self, logits, inside, label, classes, counts):
        hot = label[..., None] == classes[:, None, None]
        counts = inside[..., None] & counts[:, None, None]
        return self.loss_dice.strip(logits, hot, counts)


class _Embedding(nn.Module):
    """torch's nn.Embedding, all of its rows."""

    number: int
    width: int

    @nn.compact
    def __call__(self):
        start = nn.initializers.normal(1.0)
        return self.param("embedding", start, (self.number, self.width))


def _linear(x, features, name):
    """torch's Linear with its own starting values."""
    return Linear(features, **torch_start(x.shape[-1]), name=name)(x)


def _masks(features, embeddings):
    """(N, h, w, D), (N, K, D) -> the logits of K masks, (N, h, w, K)."""
    return jnp.einsum("nhwd,nkd->nhwk", features, embeddings)

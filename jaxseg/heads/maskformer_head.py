"""MaskFormer: https://arxiv.org/abs/2107.06278."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.heads.mask_classification import (
    MaskClassificationHead,
    Outputs,
    embeddings_of,
    masks_of,
)
from jaxseg.layers.conv import Conv2d, caffe2_xavier
from jaxseg.layers.detr import DetrDecoderCfg, DetrTransformerDecoder
from jaxseg.layers.embedding import Embedding
from jaxseg.layers.pixel_decoder import PixelDecoder
from jaxseg.layers.positional_encoding import SinePositionalEncoding
from jaxseg.losses.mask_losses import MaskFocalLoss, count_of_masks
from jaxseg.ops.resize import resize
from jaxseg.ops.strips.sums import Term, strip_sums
from jaxseg.ops.strips.upsampled import Upsampled


class MaskFormerHead(MaskClassificationHead, kw_only=True):
    """Queries that look at the whole coarsest map.

    Attributes:
        in_index: which of the backbone's outputs, the finest first.
        pixel_decoder: entry that makes the mask features.
        enforce_decoder_input_project: whether the memory is projected also where it
            has the queries' width.
        positional_encoding: the encoding of the memory.
        transformer_decoder: the layers that the queries pass.
        loss_mask: a loss of masks.
        The others are MaskClassificationHead's.
    """

    in_index: tuple[int, ...]
    pixel_decoder: PixelDecoder
    enforce_decoder_input_project: bool = False
    positional_encoding: SinePositionalEncoding
    transformer_decoder: DetrDecoderCfg
    loss_mask: MaskFocalLoss

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
        query_pos = Embedding(self.num_queries, width, name="query_embed")()
        queries = jnp.zeros_like(memory, shape=(len(memory), *query_pos.shape))
        decoded = DetrTransformerDecoder(decoder, name="transformer_decoder")(
            queries, memory, query_pos, places.reshape(-1, width), train
        )  # (N, layers, Q, C)
        classify, embed = self.predictors()
        return Outputs(classify(decoded), embed(decoded), features)

    def loss(self, outputs, targets):
        label, present = self.truth(targets)
        small = label[..., None].astype(jnp.float32)
        small = resize(small, outputs.features.shape[1:3], mode="nearest")[..., 0]

        def of_layer(scores, embeddings, _):
            masks = masks_of(outputs.features, embeddings)
            pairs = self._pairs(*jax.lax.stop_gradient((scores, masks)), small, present)
            focal, dice = self._of_masks(embeddings, outputs.features, label, *pairs)
            return {
                "loss_cls": self.class_loss(scores, *pairs),
                "loss_mask": focal,
                "loss_dice": dice,
            }

        return self.by_layer(outputs, of_layer)

    def _pairs(self, scores, masks, label, present):
        """Pairs of classes with queries, by whole masks; label is of the masks' size."""
        classes = jnp.arange(self.num_classes)

        def of_image(image):
            scores, masks, label, present = image
            truth = label.reshape(-1, 1) == classes
            masks = masks.reshape(-1, masks.shape[-1])
            return self.train_cfg.assigner(scores, masks, truth, present)

        return jax.lax.map(of_image, (scores, masks, label, present))

    def _of_masks(self, embeddings, features, label, query, paired):
        """The focal and the Dice loss of the paired queries' masks at the label's size."""
        masks, size = count_of_masks(paired), label.shape[1:]

        def of_chunk(_, classes, counts):
            chosen = jnp.take_along_axis(query, classes, 1)
            maps = masks_of(features, embeddings_of(embeddings, chosen))
            terms = (
                Term(self._focal_strip, (label, classes, counts), passes=1),
                Term(self._dice_strip, (label, classes, counts), passes=2),
            )
            focal, dice = strip_sums(terms, Upsampled(maps, size))
            return focal, self.loss_dice.finish(dice, counts, masks)

        focal, dice = self.over_pairs(of_chunk, query, paired, features)
        return self.loss_mask.finish(focal, masks, size[0] * size[1]), dice

    def _focal_strip(self, logits, inside, label, classes, counts):
        hot = label[..., None] == classes[:, None, None]
        counts = inside[..., None] & counts[:, None, None]
        return self.loss_mask.strip(logits, hot, counts)

    def _dice_strip(self, logits, inside, label, classes, counts):
        hot = label[..., None] == classes[:, None, None]
        counts = inside[..., None] & counts[:, None, None]
        return self.loss_dice.strip(logits, hot, counts)

"""EoMT, the encoder-only mask transformer: https://arxiv.org/abs/2503.19108."""

import dataclasses

import jax
import jax.numpy as jnp

from jaxseg.backbones.dinov2 import DINOv2, with_class_position
from jaxseg.errors import FieldError
from jaxseg.heads.eomt_head import EoMTHead
from jaxseg.layers.draws import uniform
from jaxseg.ops.resize import resize
from jaxseg.segmentors.encoder_decoder import EncoderDecoder
from jaxseg.weights.key_table import KeyTable
from jaxseg.weights.state_dict import ITERATIONS


@dataclasses.dataclass(frozen=True)
class MaskAnnealing:
    """How masked attention goes out of use in a training, block by block.

    Attributes:
        start: of each block with queries, the iteration from which its masks are left
            out more and more often.
        end: that from which they are always.
        power: 1 minus the share of the way to this power is how often a query of an
            image has its mask.
    """

    start: tuple[int, ...]
    end: tuple[int, ...]
    power: float = 0.9

    def __post_init__(self):
        is_order = all(a <= b for a, b in zip(self.start, self.end, strict=False))
        if len(self.start) != len(self.end) or not is_order:
            raise FieldError(
                f"start is {self.start} and end {self.end}, allowed: as many iterations "
                "in both, none in end before that in start"
            )

    def probabilities(self, iteration: jax.Array) -> jax.Array:
        """How often a query has its mask in each block, (blocks,), 0 to 1."""
        start, end = (jnp.asarray(x, jnp.float32) for x in (self.start, self.end))
        way = (iteration - start) / jnp.maximum(end - start, 1)
        way = jnp.where(iteration >= end, 1, jnp.clip(way, 0, 1))
        return (1 - way) ** self.power


def _of_original(weights, model):
    """Those of github.com/tue-mps/eomt, without what our config says.

    timm's position table of models with registers has no place for the class token.
    """
    del model
    result = {
        key: array
        for key, array in weights.items()
        if not key.startswith(("network.attn_mask_probs", "criterion.", "pixel_"))
    }
    if (key := "backbone.pos_embed") in result:
        result[key] = with_class_position(result[key])
    return result


class EoMT(EncoderDecoder, kw_only=True):
    """A plain ViT whose last blocks see queries, too, and a head that reads both.

    In training a query sees in a block only the patches of its own mask as the head
    predicts it before that block; with `mask_annealing` that ends, and the model that is
    trained runs without masks. Then an evaluation before the end is of a model that is
    not used to it.

    Attributes:
        backbone: with `num_queries`.
        mask_annealing: when masks go out of use; None: masks are there to the end, and
            where the model predicts, too.
        The others are EncoderDecoder's.
    """

    backbone: DINOv2
    decode_head: EoMTHead
    mask_annealing: MaskAnnealing | None

    key_table = KeyTable(
        renames=(
            # github.com/tue-mps/eomt, whose `network.encoder.` is taken off as a prefix
            (r"^network\.q\.", "backbone.query."),
            (r"^network\.class_head\.", "decode_head.cls_embed."),
            (r"^network\.mask_head\.", "decode_head.mask_embed."),
            (r"^network\.upscale\.", "decode_head.upscale."),
        ),
        convert=_of_original,
        convert_back=lambda weights, model: dict(weights),  # mmseg has no EoMT
    )

    def __post_init__(self):
        found, asked = self.backbone.num_queries, self.decode_head.num_queries
        if found != asked:
            raise FieldError(
                f"backbone: its num_queries is {found}, allowed: that of decode_head, "
                f"{asked}"
            )
        blocks, annealing = self.backbone.num_query_blocks, self.mask_annealing
        if annealing is not None and len(annealing.start) != blocks:
            raise FieldError(
                f"mask_annealing: start has {len(annealing.start)} entries, allowed: "
                f"backbone.num_query_blocks, {blocks}"
            )
        if self.neck is not None:
            raise FieldError(
                "neck: is there, allowed: None; the head reads the backbone"
            )
        super().__post_init__()

    def setup(self):
        start = (jnp.zeros, (), jnp.float32)
        self.iterations = self.variable("batch_stats", ITERATIONS, *start)

    def extract_feat(self, images, train=False):
        visible = None
        if train or self.mask_annealing is None:
            visible = self._visible(len(images), train)
        return self.backbone(images.astype(self.dtype), train, visible)

    def _visible(self, batch, train):
        """What a query sees in each block, as of `DINOv2.__call__`."""
        left_out = None
        if train and self.mask_annealing is not None:
            shape = (batch, self.backbone.num_query_blocks, self.backbone.num_queries)
            kept = self.mask_annealing.probabilities(self.iterations.value)
            left_out = uniform(self, shape, jnp.float32) > kept[:, None]
            if not self.is_initializing():
                self.iterations.value += 1

        def visible(i, patches, queries):
            # For XLA one with what the head computes of the same in the end.
            outputs = self.decode_head(((patches, queries),), train)
            masks = jax.lax.stop_gradient(self.decode_head.logits(outputs))
            seen = resize(masks, patches.shape[1:3]) > 0
            seen = jnp.moveaxis(seen, -1, 1)
            return seen if left_out is None else seen | left_out[:, i, :, None, None]

        return visible

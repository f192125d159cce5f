"""Encoder-decoder: a backbone, perhaps a neck, a decode head, auxiliary heads."""

from typing import Any

import jax

from jaxseg.backbones.backbone import Backbone
from jaxseg.errors import FieldError
from jaxseg.heads.cascade_decode_head import BaseCascadeDecodeHead
from jaxseg.heads.head import Head
from jaxseg.necks.neck import Neck
from jaxseg.segmentors.segmentor_of_heads import SegmentorOfHeads
from jaxseg.weights.key_table import KeyTable

# What whole models of other repositories call the parts.
_RENAMES = (
    # https://github.com/jfzhang95/pytorch-deeplab-xception
    (r"^(aspp|decoder)\.", r"decode_head.\1."),
    # https://github.com/CSAILVision/semantic-segmentation-pytorch, the encoder's file
    (r"^((conv|bn|layer|stage|transition)\d|features)\.", r"backbone.\1."),
    # and the decoder's.
    (r"^(ppm|ppm_conv|ppm_last_conv|fpn_in|fpn_out)\.", r"decode_head.\1."),
    (r"^(cbr|conv_last)\.", r"decode_head.\1."),
    (r"^(cbr|conv_last)_deepsup\.", r"auxiliary_head.\1."),
)


class EncoderDecoder(SegmentorOfHeads):
    """mmseg's EncoderDecoder.

    Attributes:
        backbone: images -> tuple of feature maps.
        decode_head: feature maps -> outputs, of most heads the logits.
        neck: feature maps -> feature maps, or None.
        auxiliary_head: one more head or several, which only training uses.
        The others are SegmentorOfHeads's.
    """

    backbone: Backbone
    decode_head: Head
    neck: Neck | None = None
    auxiliary_head: Head | tuple[Head, ...] | None = None

    takes_padding = True
    takes_bands = True

    key_table = KeyTable(renames=_RENAMES)

    def __post_init__(self):
        alone = self.auxiliary_heads
        if isinstance(self.decode_head, Head):
            alone = {"decode_head": self.decode_head, **alone}
        for name, head in alone.items():
            if isinstance(head, BaseCascadeDecodeHead):
                raise FieldError(
                    f"{name}: {type(head).__name__} takes the outputs of a head before "
                    "it, allowed: in the list of type='CascadeEncoderDecoder'"
                )
        super().__post_init__()

    @property
    def in_channels(self) -> int:
        """Channels of the images."""
        return self.backbone.in_channels

    @property
    def heads(self) -> dict[str, Head]:
        """Every head by its checkpoint key, `decode_head` or `auxiliary_head.0`."""
        return {**self.decode_heads, **self.auxiliary_heads}

    @property
    def predicting_head(self) -> Head:
        """The head whose outputs are the prediction."""
        return self.decode_head

    @property
    def decode_heads(self) -> dict[str, Head]:
        """The decode head by its checkpoint key."""
        return {"decode_head": self.decode_head}

    @property
    def auxiliary_heads(self) -> dict[str, Head]:
        """The heads that only training uses, by their checkpoint keys."""
        heads = self.auxiliary_head
        if heads is None:
            return {}
        if not isinstance(heads, tuple):
            return {"auxiliary_head": heads}
        return {f"auxiliary_head.{i}": head for i, head in enumerate(heads)}

    def check_size(self, size: tuple[int, int]) -> None:
        """Raises ModelSizeError for images of (height, width) that it does not take."""
        self.backbone.check_size(size)

    def extract_feat(self, images: jax.Array, train: bool = False):
        """Normalised images (N, H, W, C) -> tuple of feature maps (N, h, w, c)."""
        x = self.backbone(images.astype(self.dtype), train)
        return x if self.neck is None else self.neck(x, train)

    def decode(self, features: tuple[jax.Array, ...], train: bool) -> dict[str, Any]:
        """Feature maps -> the outputs of the decode heads, by their names."""
        return {"decode_head": self.decode_head(features, train)}

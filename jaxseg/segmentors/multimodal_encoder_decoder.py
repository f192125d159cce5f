"""Multimodal encoder-decoder: classes that are told by their names."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jaxseg.backbones.backbone import Backbone
from jaxseg.errors import FieldError
from jaxseg.heads.head import Head
from jaxseg.heads.san_head import SideAdapterCLIPHead
from jaxseg.ops.narrow import spread
from jaxseg.ops.resize import resize
from jaxseg.segmentors.segmentor_of_heads import SegmentorOfHeads
from jaxseg.text_encoders.text_encoder import TextEncoder


class MultimodalEncoderDecoder(SegmentorOfHeads, kw_only=True):
    """mmseg's MultimodalEncoderDecoder: an encoder of images, and one of names.

    Attributes:
        image_encoder: images -> maps with class tokens.
        text_encoder: names of classes -> their vectors.
        decode_head: images, maps and vectors -> outputs.
        asymetric_input: whether the image encoder sees smaller images than the head.
        encoder_resolution: how much smaller, the factor of their sides.
        The others are SegmentorOfHeads's.
    """

    image_encoder: Backbone
    text_encoder: TextEncoder
    decode_head: SideAdapterCLIPHead
    asymetric_input: bool = True
    encoder_resolution: float | None = None

    pretrained_keys: ClassVar = (
        "image_encoder",
        "text_encoder",
        "decode_head.rec_with_attnbias",
    )

    def __post_init__(self):
        if self.asymetric_input and self.encoder_resolution is None:
            raise FieldError("encoder_resolution: asymetric_input=True needs it")
        classes = len(self.text_encoder.class_names)
        if classes != self.decode_head.num_classes:
            raise FieldError(
                f"decode_head.num_classes is {self.decode_head.num_classes}, and "
                f"text_encoder has the names of {classes} classes"
            )
        super().__post_init__()

    @property
    def in_channels(self) -> int:
        """Channels of the images."""
        return self.image_encoder.in_channels

    @property
    def heads(self) -> dict[str, Head]:
        """The head by its checkpoint key."""
        return {"decode_head": self.decode_head}

    @property
    def predicting_head(self) -> Head:
        """The head whose outputs are the prediction."""
        return self.decode_head

    def check_size(self, size: tuple[int, int]) -> None:
        """Raises ModelSizeError for images of (height, width) that it does not take."""
        self.image_encoder.check_size(size)

    def extract_feat(self, images: jax.Array, train: bool = False) -> tuple[Any, ...]:
        """Normalised images -> the images, maps with class tokens, and the classes.

        Args:
            images: (N, H, W, C).
            train: whether dropout is on.
        """
        images = images.astype(self.dtype)
        smaller = images
        if self.asymetric_input:
            smaller = resize(images, scale_factor=self.encoder_resolution)
        vectors = self.text_encoder()
        like = jnp.zeros_like(images, shape=(len(images), *vectors.shape))
        return images, *self.image_encoder(smaller, train), spread(vectors, like)

    def decode(self, features: tuple[Any, ...], train: bool) -> dict[str, Any]:
        """What `extract_feat` gives -> the outputs of the head, by its name."""
        return {"decode_head": self.decode_head(features, train)}

"""Depth estimator: an encoder-decoder that predicts how far pixels are."""

from typing import ClassVar

import jax

from jaxseg.errors import FieldError
from jaxseg.ops.narrow import wide
from jaxseg.segmentors.encoder_decoder import EncoderDecoder


class DepthEstimator(EncoderDecoder):
    """mmseg's DepthEstimator, whose heads give a depth a pixel.

    Attributes:
        The same as EncoderDecoder's.
    """

    predicted_key = "gt_depth_map"
    test_modes: ClassVar = ("whole", "slide", "slide_flip")

    def __post_init__(self):
        if self.decode_head.target_keys != (self.predicted_key,):
            raise FieldError(
                f"decode_head: {type(self.decode_head).__name__} predicts no depths"
            )
        super().__post_init__()

    def maps(self, images: jax.Array) -> tuple[jax.Array, tuple[()]]:
        """Normalised images -> depths (N, h, w, 1), of two directions in `slide_flip`."""
        depth, per_image = super().maps(images)
        if self.test_cfg.mode == "slide_flip":
            turned, _ = super().maps(images[:, :, ::-1])
            depth = (depth + turned[:, :, ::-1]) / 2
        return depth, per_image

    def predicted(
        self, values: jax.Array, are_probabilities: bool = False
    ) -> jax.Array:
        """The depth of each pixel, (N, H, W) float32 at least."""
        del are_probabilities
        return wide(values[..., 0])

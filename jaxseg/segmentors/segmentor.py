"""Segmentor: the role of the whole model, which answers for its parts."""

from collections.abc import Mapping
from typing import Any

import jax

from jaxseg.heads.head import Head
from jaxseg.weights.part import Part


class Segmentor(Part):
    """From images to logits and losses.

    Whoever trains, evaluates or runs a model asks it, and never its parts.

    Attributes:
        takes_padding, takes_bands: as of a `Backbone`, of what it computes itself; its
            parts say so of themselves (`segmentors/opt_in.py`).
    """

    takes_padding = False
    takes_bands = False

    @property
    def in_channels(self) -> int:
        """Channels of the images."""
        raise NotImplementedError

    @property
    def num_classes(self) -> int:
        """The number of classes that are predicted."""
        raise NotImplementedError

    @property
    def out_channels(self) -> int:
        """Channels of the logits: the number of classes, or 1 of a binary head."""
        raise NotImplementedError

    @property
    def threshold(self) -> float | None:
        """The probability of one channel from which a pixel is class 1."""
        raise NotImplementedError

    @property
    def align_corners(self) -> bool:
        """`align_corners` of the resize from the logits to the image's size."""
        raise NotImplementedError

    @property
    def heads(self) -> dict[str, Head]:
        """Every head by its checkpoint key, `decode_head` or `auxiliary_head.0`."""
        raise NotImplementedError

    @property
    def predicting_head(self) -> Head:
        """The head that predicts."""
        raise NotImplementedError

    def predict(self, images: jax.Array) -> Any:
        """Normalised images (N, H, W, C) -> the outputs of the predicting head."""
        raise NotImplementedError

    def logits(self, images: jax.Array) -> jax.Array:
        """Normalised images (N, H, W, C) -> maps (N, h, w, c) of what is predicted."""
        raise NotImplementedError

    def maps(self, images: jax.Array) -> tuple[jax.Array, Any]:
        """What prediction starts from.

        Args:
            images: normalised, (N, H, W, C).

        Returns:
            `logits` in float32 at least, (N, h, w, c), and what `scores` needs beside
            them: arrays with a leading axis over the images, or ().
        """
        raise NotImplementedError

    def scores(self, maps: jax.Array, per_image: Any) -> jax.Array:
        """Resized maps (N, rows, W, c) -> logits (N, rows, W, out_channels)."""
        raise NotImplementedError

    def encode_decode(self, images: jax.Array) -> jax.Array:
        """Normalised images (N, H, W, C) -> float32 logits (N, H, W, out_channels)."""
        raise NotImplementedError

    def loss(
        self, images: jax.Array, targets: Mapping[str, jax.Array]
    ) -> dict[str, jax.Array]:
        """Every loss and accuracy of one training batch.

        Args:
            images: normalised, (N, H, W, C).
            targets: every `gt_*` of the batch, (N, H, W) each, by its key.

        Returns:
            Scalars by name. The training loss is the sum of those with `loss` in it.
        """
        raise NotImplementedError

"""Segmentor: the role of the whole model, which answers for its parts."""

import functools
from collections.abc import Mapping
from typing import Any

import jax

from jaxseg.heads.head import Head
from jaxseg.ops.pick_classes import pick_classes
from jaxseg.weights.part import Part

# What computes: each runs at the model's precision, whoever calls it.
_COMPUTING = (
    "__call__",
    "extract_feat",
    "decode",
    "logits",
    "maps",
    "scores",
    "encode_decode",
    "loss",
)


class Segmentor(Part):
    """From images to logits and losses.

    Whoever trains, evaluates or runs a model asks it, and never its parts.

    Attributes:
        predicted_key: the target that a prediction is compared with.
        takes_padding, takes_bands: as of a `Backbone`, of what it computes itself; its
            parts say so of themselves (`segmentors/opt_in.py`).
    """

    predicted_key = "gt_seg_map"
    takes_padding = False
    takes_bands = False

    def __init_subclass__(cls, **kwargs: Any):
        for name in _COMPUTING:
            if name in vars(cls):
                setattr(cls, name, _at_precision(vars(cls)[name]))
        super().__init_subclass__(**kwargs)

    @property
    def product_precision(self) -> str:
        """How its products and convolutions multiply: as `jax.lax.Precision` says it.

        `highest`, `high` or `default`, whatever the process has set.
        """
        raise NotImplementedError

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

    def predicted(
        self, values: jax.Array, are_probabilities: bool = False
    ) -> jax.Array:
        """What is predicted of each pixel: its class.

        Args:
            values: logits or probabilities, (N, H, W, out_channels).
            are_probabilities: whether values are.

        Returns:
            (N, H, W), as `pick_classes`.
        """
        return pick_classes(values, self.threshold, are_probabilities)

    def loss(
        self,
        images: jax.Array,
        targets: Mapping[str, jax.Array],
        train: bool = True,
    ) -> dict[str, jax.Array]:
        """Every loss and accuracy of one batch.

        Args:
            images: normalised, (N, H, W, C).
            targets: every `gt_*` of the batch, (N, H, W) each, by its key.
            train: whether the model computes as in training, or as in an evaluation.

        Returns:
            Scalars by name. The training loss is the sum of those with `loss` in it.
        """
        raise NotImplementedError


def _at_precision(method):
    @functools.wraps(method)
    def run(self, *args, **kwargs):
        with jax.default_matmul_precision(self.product_precision):
            return method(self, *args, **kwargs)

    return run

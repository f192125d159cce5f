"""Backbone: the role of what makes feature maps of images."""

from typing import Any

import jax

from jaxseg.errors import FieldError
from jaxseg.weights.part import Part


def chosen_maps(out_indices: int | tuple[int, ...], count: int) -> set[int]:
    """Which of `count` maps are returned; negative indices count from the end.

    Raises:
        FieldError: where there is no such map.
    """
    given = (out_indices,) if isinstance(out_indices, int) else out_indices
    if not all(-count <= i < count for i in given):
        raise FieldError(
            f"out_indices: is {out_indices}, allowed: 0 to {count - 1}, and "
            f"from the end -{count} to -1"
        )
    return {i % count for i in given}


class Backbone(Part, kw_only=True):
    """From images to feature maps.

    Attributes:
        in_channels: channels of the images.
        takes_padding: whether it computes the same for an image that is padded to a
            bucket (`ops/padded`): whether it looks at more than one pixel through
            `ops` alone. A class attribute, which each class says of itself; that of
            the class it is derived from does not count.
        takes_bands: as much for an image that is split by rows over several devices
            (`ops/bands`).
    """

    in_channels: int = 3

    takes_padding = False
    takes_bands = False

    def check_size(self, size: tuple[int, int]) -> None:
        """Raises ModelSizeError for images of (height, width) that it does not take."""

    def __call__(self, x: jax.Array, train: bool) -> tuple[Any, ...]:
        """Images (N, H, W, in_channels) -> the maps of its stages, (N, h, w, c) each."""
        raise NotImplementedError

"""Neck: the role of what stands between a backbone and a head."""

from typing import Any

from jaxseg.weights.part import Part


class Neck(Part):
    """From a backbone's feature maps to those that the heads take.

    Attributes:
        takes_padding, takes_bands: as of a `Backbone`.
    """

    takes_padding = False
    takes_bands = False

    def __call__(self, inputs: tuple[Any, ...], train: bool) -> tuple[Any, ...]:
        """Maps (N, h, w, c) -> maps (N, h, w, c)."""
        raise NotImplementedError

"""Resizing to sides that a network with fixed strides divides without a rest."""

import dataclasses
from typing import ClassVar

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.transforms.resize import INTERPOLATION, Resizing


@dataclasses.dataclass(frozen=True)
class ResizeToMultiple(Resizing):
    """Stretches both sides to the next multiple of a number.

    Attributes:
        size_divisor: the number.
        interpolation: the interpolation of the image, as in `Resize`; None is
            'bilinear'.
    """

    size_divisor: int = 32
    interpolation: str | None = None

    draws: ClassVar[bool] = False

    def __post_init__(self):
        if self.size_divisor < 1:
            raise DataError(
                f"ResizeToMultiple.size_divisor is {self.size_divisor}; it must be 1 "
                "or more."
            )
        if self.interpolation is None:
            object.__setattr__(self, "interpolation", "bilinear")
        if self.interpolation not in INTERPOLATION:
            raise DataError(
                f"ResizeToMultiple.interpolation is {self.interpolation!r}; it must be "
                f"None or one of {tuple(INTERPOLATION)}."
            )

    def output_size(
        self, size: tuple[int, int], rng: np.random.Generator | None = None
    ) -> tuple[int, int]:
        """(w, h) of the result for an image of `size` = (w, h); nothing is drawn."""
        width, height = (
            -(-side // self.size_divisor) * self.size_divisor for side in size
        )
        return width, height

"""Resizing as little as a box asks for, as DPT's: https://arxiv.org/abs/2103.13413."""

import dataclasses
from typing import ClassVar

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.transforms.resize import Resizing, check_interpolation


@dataclasses.dataclass(frozen=True)
class ResizeClosestSide(Resizing):
    """Resizes one side to that of a box, and the other by the same factor.

    It is the side whose factor is closer to 1, and the height of two as close. Each side
    is rounded to a multiple, a half to the even one, so that the ratio changes a little.

    Attributes:
        scale: (w, h) of the box.
        size_divisor: what both sides are multiples of.
        interpolation: the interpolation of the image, as in `Resize`.
    """

    scale: tuple[int, int]
    size_divisor: int = 1
    interpolation: str = "bilinear"

    draws: ClassVar[bool] = False

    def __post_init__(self):
        if min(self.scale) < 1 or self.size_divisor < 1:
            raise DataError(
                f"ResizeClosestSide has scale={self.scale} and size_divisor="
                f"{self.size_divisor}; both must be 1 or more."
            )
        check_interpolation("ResizeClosestSide", self.interpolation)

    def output_size(
        self, size: tuple[int, int], rng: np.random.Generator | None = None
    ) -> tuple[int, int]:
        """(w, h) of the result for an image of `size` = (w, h); nothing is drawn."""
        by_width, by_height = (s / own for s, own in zip(self.scale, size, strict=True))
        factor = by_width if abs(1 - by_width) < abs(1 - by_height) else by_height
        width, height = (
            round(factor * side / self.size_divisor) * self.size_divisor
            for side in size
        )
        return width, height

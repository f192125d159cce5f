"""Cutout: rectangles of an image are filled with one colour."""

import dataclasses
from typing import ClassVar

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.transforms.resize import image_size
from input_pipeline.transforms.targets import changed_targets
from input_pipeline.transforms.transform import Transform


@dataclasses.dataclass(frozen=True)
class RandomCutOut(Transform):
    """Fills rectangles at random places, DeVries and Taylor, arXiv:1708.04552.

    A rectangle begins at a random pixel; what of it lies outside is left out.

    Attributes:
        prob: probability of rectangles.
        n_holes: how many of them; or the smallest and the largest number.
        cutout_shape: (w, h) in pixels of a rectangle, or several to draw from.
        cutout_ratio: the same as a part of the image's width and height. Exactly one of
            the two is set.
        fill_in: the colour, one value a channel.
        seg_fill_in: the value of the targets in there; by default they stay.

    Raises:
        DataError: fields that do not fit, or an image with another number of channels
            than `fill_in`.
    """

    prob: float
    n_holes: int | tuple[int, int]
    cutout_shape: tuple[int, int] | tuple[tuple[int, int], ...] | None = None
    cutout_ratio: tuple[float, float] | tuple[tuple[float, float], ...] | None = None
    fill_in: tuple[float, ...] = (0, 0, 0)
    seg_fill_in: int | None = None

    changes_size: ClassVar[bool] = False
    moves_pixels: ClassVar[bool] = False

    def __post_init__(self):
        if not 0 <= self.prob <= 1:
            raise DataError(f"RandomCutOut.prob is {self.prob}; it must be in [0, 1].")
        if (self.cutout_shape is None) == (self.cutout_ratio is None):
            raise DataError(
                f"RandomCutOut has cutout_shape={self.cutout_shape} and cutout_ratio="
                f"{self.cutout_ratio}; exactly one of them must be set."
            )
        fewest, most = self._holes
        if not 0 <= fewest <= most:
            raise DataError(
                f"RandomCutOut.n_holes is {self.n_holes}; it must be a number of 0 or "
                "more, or two of them, the smaller one first."
            )
        pairs = self._candidates
        if not all(len(pair) == 2 and min(pair) > 0 for pair in pairs or ((),)):
            name = "cutout_ratio" if self.cutout_shape is None else "cutout_shape"
            raise DataError(
                f"RandomCutOut.{name} is {getattr(self, name)}; it must be a width and "
                "a height above 0, or several such pairs."
            )

    @property
    def _holes(self) -> tuple[int, int]:
        several = isinstance(self.n_holes, tuple)
        return self.n_holes if several else (self.n_holes, self.n_holes)

    @property
    def _candidates(self) -> tuple[tuple[float, float], ...]:
        shape = self.cutout_shape
        sizes = self.cutout_ratio if shape is None else shape
        return (sizes,) if sizes and not isinstance(sizes[0], tuple) else sizes

    def draw(
        self, size: tuple[int, int], rng: np.random.Generator
    ) -> list[tuple[slice, slice]]:
        """Draws the rows and columns of the rectangles in an image of `size` = (w, h)."""
        if not rng.random() < self.prob:
            return []
        fewest, most = self._holes
        return [
            self._draw_one(size, rng) for _ in range(rng.integers(fewest, most + 1))
        ]

    def _draw_one(self, size, rng):
        width, height = size
        left, top = int(rng.integers(0, width)), int(rng.integers(0, height))
        sides = self._candidates[int(rng.integers(0, len(self._candidates)))]
        if self.cutout_ratio is not None:
            sides = int(sides[0] * width), int(sides[1] * height)
        return slice(top, top + sides[1]), slice(left, left + sides[0])

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        channels = results["img"].shape[2]
        if len(self.fill_in) != channels:
            raise DataError(
                f"{results.get('img_path')}: RandomCutOut.fill_in is {self.fill_in}, "
                f"and the image has {channels} channels; it takes one value a channel."
            )
        holes = self.draw(image_size(results), rng)
        if not holes:
            return results

        def filled(array, value):
            array = array.copy()
            for hole in holes:
                array[hole] = value
            return array

        changed = {"img": filled(results["img"], self.fill_in)}
        if self.seg_fill_in is not None:
            changed |= changed_targets(results, lambda t: filled(t, self.seg_fill_in))
        return results | changed

"""Padding at the bottom and at the right."""

import dataclasses
from typing import ClassVar

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.transforms.targets import changed_targets, fill_value
from input_pipeline.transforms.transform import Transform


def pad(
    array: np.ndarray, size: tuple[int, int], value: float | tuple[float, ...]
) -> np.ndarray:
    """Pads (H, W) or (H, W, C) to at least `size` = (h, w), bottom and right.

    `value` is one for all, or one a channel. What is larger stays as it is.
    """
    height, width = array.shape[:2]
    shape = (max(height, size[0]), max(width, size[1])) + array.shape[2:]
    padded = np.full(shape, value, array.dtype)
    padded[:height, :width] = array
    return padded


@dataclasses.dataclass(frozen=True)
class Pad(Transform):
    """Pads image and targets to a size, or to the next multiple of a number.

    `img_shape` becomes the padded size: unlike the padding of a batch, these pixels
    are part of the image, and are normalised with it.

    Attributes:
        size: (w, h), as in mmcv. Mind that crop sizes are (h, w).
        size_divisor: number whose multiple both sides become, if `size` is None.
        pad_val: value of the image's new pixels, or a dict of the values for 'img' and
            'seg', the targets. By default these are padded with what counts nowhere:
            the data set's `ignore_index`, or 0 of measured quantities.
    """

    size: tuple[int, int] | None = None
    size_divisor: int | None = None
    pad_val: float | dict = 0

    draws: ClassVar[bool] = False

    def __post_init__(self):
        if (self.size is None) == (self.size_divisor is None):
            raise DataError(
                f"Pad has size={self.size} and size_divisor={self.size_divisor}; "
                "exactly one of them must be set."
            )
        if isinstance(self.pad_val, dict) and set(self.pad_val) - {"img", "seg"}:
            raise DataError(
                f"Pad.pad_val has the keys {sorted(self.pad_val)}; allowed are 'img' "
                "and 'seg'."
            )

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        values = self.pad_val
        if not isinstance(values, dict):
            values = {"img": values}
        size = self._target(results["img"].shape[:2])
        img = pad(results["img"], size, values.get("img", 0))
        changed = {"img": img, "img_shape": img.shape[:2]}
        ignored = results.get("ignore_index", 255)

        def padded(target):
            return pad(target, size, values.get("seg", fill_value(target, ignored)))

        return results | changed | changed_targets(results, padded)

    def output_size(
        self, size: tuple[int, int], rng: np.random.Generator | None = None
    ) -> tuple[int, int]:
        """(w, h) of the result for an image of `size` = (w, h); nothing is drawn."""
        height, width = self._target(size[::-1])
        return max(size[0], width), max(size[1], height)

    def smallest_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """As `output_size`."""
        return self.output_size(size)

    def _target(self, shape: tuple[int, int]) -> tuple[int, int]:
        """(h, w)."""
        if self.size is not None:
            return self.size[::-1]
        return tuple(
            -(-side // self.size_divisor) * self.size_divisor for side in shape
        )

"""Resizing to sides that a network with fixed strides divides without a rest."""

import dataclasses

import numpy as np

from input_pipeline.transforms.resize import INTERPOLATION, resize_results


@dataclasses.dataclass(frozen=True)
class ResizeToMultiple:
    """Stretches both sides to the next multiple of a number.

    Attributes:
      size_divisor: the number.
      interpolation: of the image, as in `Resize`; None is 'bilinear'.
    """

    size_divisor: int = 32
    interpolation: str | None = None

    def __post_init__(self):
        if self.size_divisor < 1:
            raise ValueError(
                f"ResizeToMultiple.size_divisor is {self.size_divisor}; it must be 1 "
                "or more."
            )
        if self.interpolation not in (None, *INTERPOLATION):
            raise ValueError(
                f"ResizeToMultiple.interpolation is {self.interpolation!r}; it must be "
                f"None or one of {tuple(INTERPOLATION)}."
            )

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        height, width = (
            -(-side // self.size_divisor) * self.size_divisor
            for side in results["img"].shape[:2]
        )
        how = self.interpolation or "bilinear"
        return resize_results(results, (width, height), how)

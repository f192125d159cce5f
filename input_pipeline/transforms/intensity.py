"""Intensity transforms: they change the values of pixels, and no pixel's place.

CLAHE and AdjustGamma are defined on bytes, RGB2Gray and Rerange give float64. Behind
those, bytes are what is left of a value without its fraction, as in MMSegmentation.
"""

import dataclasses
from typing import ClassVar

import cv2
import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.transforms.transform import Transform


def as_bytes(results: dict, owner: str) -> np.ndarray:
    """The image of a record as uint8, fractions cut off.

    Args:
        results: the record.
        owner: the transform that asks; its errors begin so.

    Raises:
        DataError: integers of another type, or values outside of 0..255.
    """
    img = results["img"]
    if img.dtype == np.uint8:
        return img
    # Not the other way round: a NaN fits no comparison.
    fits = img.dtype.kind == "f" and img.min() >= 0 and img.max() <= 255
    if not fits:
        raise DataError(
            f"{results.get('img_path')}: {owner} got {img.dtype} from {img.min()} to "
            f"{img.max()}; it takes uint8, or floats from 0 to 255. Put Rerange before "
            "it."
        )
    return img.astype(np.uint8)


class _Intensity(Transform):
    """What holds for every transform of this file."""

    draws: ClassVar[bool] = False
    changes_size: ClassVar[bool] = False
    moves_pixels: ClassVar[bool] = False


@dataclasses.dataclass(frozen=True)
class CLAHE(_Intensity):
    """Equalizes the histogram of every channel, by tiles and with limited contrast.

    Zuiderveld, Contrast Limited Adaptive Histogram Equalization, Graphics Gems, 1994.

    Attributes:
        clip_limit: how many times the mean count of a bin a bin may have; the rest is
            spread over all bins.
        tile_grid_size: (columns, rows) of tiles.

    Raises:
        DataError: no such grid; an image that `as_bytes` refuses.
    """

    clip_limit: float = 40.0
    tile_grid_size: tuple[int, int] = (8, 8)

    def __post_init__(self):
        grid = self.tile_grid_size
        if len(grid) != 2 or not all(isinstance(n, int) and n > 0 for n in grid):
            raise DataError(
                f"CLAHE.tile_grid_size is {grid}; it must be two integers of 1 or more."
            )

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        img = as_bytes(results, "CLAHE")
        equalizer = cv2.createCLAHE(self.clip_limit, self.tile_grid_size)
        channels = [equalizer.apply(img[..., i]) for i in range(img.shape[2])]
        changed = np.stack(channels, axis=-1).astype(results["img"].dtype)
        return results | {"img": changed}


@dataclasses.dataclass(frozen=True)
class AdjustGamma(_Intensity):
    """Gamma correction: 255 * (x / 255) ** (1 / gamma), fractions cut off, as uint8.

    Attributes:
        gamma: above 1 dark pixels become brighter.

    Raises:
        DataError: a gamma of 0 or less; an image that `as_bytes` refuses.
    """

    gamma: float = 1.0

    def __post_init__(self):
        if not self.gamma > 0:
            raise DataError(f"AdjustGamma.gamma is {self.gamma}; it must be above 0.")

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        img = as_bytes(results, "AdjustGamma")
        table = (np.arange(256) / 255.0) ** (1.0 / self.gamma) * 255
        changed = cv2.LUT(img, table.astype(np.uint8))
        return results | {"img": changed.reshape(img.shape)}


@dataclasses.dataclass(frozen=True)
class RGB2Gray(_Intensity):
    """Replaces every channel by the weighted sum of all; float64.

    Attributes:
        out_channels: how many equal channels the result has; by default as many as the
            image.
        weights: one a channel, in the order of the image: red, green, blue. (The same
            three weights in mmseg's own configs are those of blue, green and red.)

    Raises:
        DataError: no channels; an image with another number of channels than weights.
    """

    out_channels: int | None = None
    weights: tuple[float, ...] = (0.299, 0.587, 0.114)

    def __post_init__(self):
        if self.out_channels is not None and self.out_channels < 1:
            raise DataError(
                f"RGB2Gray.out_channels is {self.out_channels}; it must be 1 or more."
            )

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        img = results["img"]
        count = len(self.weights)
        if img.shape[2] != count:
            raise DataError(
                f"{results.get('img_path')}: RGB2Gray has {count} weights, and the "
                f"image has {img.shape[2]} channels; it takes one weight a channel."
            )
        # From blue to red, as mmseg adds them: 255 and 254.99999999999997 are 255 and
        # 254 where bytes are wanted behind this.
        gray = img[..., -1] * float(self.weights[-1])
        for channel in range(count - 2, -1, -1):
            gray = gray + img[..., channel] * float(self.weights[channel])
        return results | {"img": np.stack([gray] * (self.out_channels or count), -1)}


@dataclasses.dataclass(frozen=True)
class Rerange(_Intensity):
    """Stretches the values of an image, over all channels, to a range; float64.

    Attributes:
        min_value: what the smallest value becomes.
        max_value: what the largest value becomes.

    Raises:
        DataError: an empty range; an image of one single value, or with a NaN.
    """

    min_value: float = 0
    max_value: float = 255

    def __post_init__(self):
        if not self.min_value < self.max_value:
            raise DataError(
                f"Rerange has min_value={self.min_value} and max_value="
                f"{self.max_value}; the first must be the smaller one."
            )

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        img = results["img"]
        low, high = np.min(img), np.max(img)
        if not low < high:
            raise DataError(
                f"{results.get('img_path')}: Rerange got an image from {low} to {high}; "
                "it needs two values. Leave so plain an image out."
            )
        unit = (img - low) / (high - low)
        changed = unit * (self.max_value - self.min_value) + self.min_value
        return results | {"img": changed}

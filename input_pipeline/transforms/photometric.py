"""Photometric distortion: brightness, contrast, saturation and hue, as mmseg's.

Every step there clips to 0..255 and truncates to uint8, so that it depends on one
byte alone: a table of 256 entries gives the same bytes in less time.
"""

import dataclasses
from typing import ClassVar, NamedTuple

import cv2
import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.transforms.transform import Transform


class Distortion(NamedTuple):
    """What one image gets; None leaves a step out.

    Attributes:
        brightness: added to each channel.
        contrast: factor of each channel.
        contrast_first: contrast before saturation and hue; otherwise after them.
        saturation: factor of the saturation.
        hue: added to the hue, modulo 180 (units of two degrees).
    """

    brightness: float | None = None
    contrast: float | None = None
    contrast_first: bool = True
    saturation: float | None = None
    hue: int | None = None

    def as_array(self) -> np.ndarray:
        """(5,) float32 in this order, NaN for a step that is left out."""
        return np.array([np.nan if v is None else v for v in self], np.float32)


def linear_table(factor: float = 1.0, offset: float = 0.0) -> np.ndarray:
    """(256,) uint8: x * factor + offset in float32, clipped, and truncated."""
    values = np.arange(256, dtype=np.float32) * factor + offset
    return np.clip(values, 0, 255).astype(np.uint8)


def hue_table(offset: int) -> np.ndarray:
    """(256,) uint8: (x + offset) modulo 180."""
    return ((np.arange(256) + offset) % 180).astype(np.uint8)


def distort(img: np.ndarray, d: Distortion) -> np.ndarray:
    """Applies a distortion to an (H, W, 3) uint8 RGB image; returns the same."""
    table = np.arange(256, dtype=np.uint8)
    if d.brightness is not None:
        table = linear_table(offset=d.brightness)
    if d.contrast is not None and d.contrast_first:
        table = linear_table(d.contrast)[table]
    if d.brightness is not None or d.contrast is not None:
        img = cv2.LUT(img, table)

    # Two trips to HSV and back, not one: each rounds.
    if d.saturation is not None:
        img = _apply_in_hsv(img, channel=1, table=linear_table(d.saturation))
    if d.hue is not None:
        img = _apply_in_hsv(img, channel=0, table=hue_table(d.hue))

    if d.contrast is not None and not d.contrast_first:
        img = cv2.LUT(img, linear_table(d.contrast))
    return img


def _apply_in_hsv(img: np.ndarray, channel: int, table: np.ndarray) -> np.ndarray:
    hsv = cv2.cvtColor(img, cv2.COLOR_RGB2HSV)
    # 0.3 ms at 512x1024; one LUT with a table for each channel takes 0.7 ms.
    changed = cv2.LUT(cv2.extractChannel(hsv, channel), table)
    cv2.insertChannel(changed, hsv, channel)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


@dataclasses.dataclass(frozen=True)
class PhotoMetricDistortion(Transform):
    """Distorts the colours of an RGB uint8 image; each step with probability 1/2.

    In order: brightness, contrast (or last, by the toss of a coin), saturation, hue.

    Attributes:
        brightness_delta: largest value added to or subtracted from each channel.
        contrast_range: smallest and largest factor of each channel.
        saturation_range: smallest and largest factor of the saturation.
        hue_delta: hue moves by -hue_delta..hue_delta-1, in units of two degrees.
        on_device: draw only, and put the `Distortion` as an array into
            `device_distortion`: what is left to do.

    Raises:
        DataError: the image is not RGB uint8, for which alone the steps are defined.
    """

    brightness_delta: int = 32
    contrast_range: tuple[float, float] = (0.5, 1.5)
    saturation_range: tuple[float, float] = (0.5, 1.5)
    hue_delta: int = 18
    on_device: bool = False

    changes_size: ClassVar[bool] = False
    moves_pixels: ClassVar[bool] = False
    can_leave_to_device: ClassVar[bool] = True

    def draw(self, rng: np.random.Generator) -> Distortion:
        """Draws a distortion, in the order of MMSegmentation's own draws."""
        delta = self.brightness_delta
        brightness = rng.uniform(-delta, delta) if _toss(rng) else None
        contrast_first = _toss(rng)
        contrast = None
        if contrast_first and _toss(rng):
            contrast = rng.uniform(*self.contrast_range)
        saturation = rng.uniform(*self.saturation_range) if _toss(rng) else None
        hue = None
        if _toss(rng):
            hue = int(rng.integers(-self.hue_delta, self.hue_delta))
        if not contrast_first and _toss(rng):
            contrast = rng.uniform(*self.contrast_range)
        return Distortion(brightness, contrast, contrast_first, saturation, hue)

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        img = results["img"]
        if img.dtype != np.uint8 or img.shape[2:] != (3,):
            raise DataError(
                f"{results.get('img_path')}: PhotoMetricDistortion got {img.shape[2]} "
                f"channels of {img.dtype}; it takes three of uint8 (RGB). Take it out "
                "of the pipeline for other images."
            )
        drawn = self.draw(rng)
        if self.on_device:
            return results | {"device_distortion": drawn.as_array()}
        return results | {"img": distort(img, drawn)}


def _toss(rng: np.random.Generator) -> bool:
    return bool(rng.integers(2))

"""Resizing with OpenCV: images bilinear, labels nearest, sizes as mmcv computes them.

Scales are (w, h), as in MMSegmentation. With `keep_ratio`, a scale is a box whose long
and short side bound those of the image, whichever way either lies.
"""

import dataclasses
from typing import ClassVar

import cv2
import numpy as np
from PIL import Image

from input_pipeline.errors import DataError
from input_pipeline.transforms.targets import changed_targets
from input_pipeline.transforms.transform import Transform

INTERPOLATION = {
    "nearest": cv2.INTER_NEAREST,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
    "lanczos": cv2.INTER_LANCZOS4,
}
# Filters that widen where an image shrinks (antialiasing), which OpenCV's do not.
_OF_PILLOW = {
    "pillow-bilinear": Image.Resampling.BILINEAR,
    "pillow-bicubic": Image.Resampling.BICUBIC,
    "pillow-box": Image.Resampling.BOX,
    "pillow-hamming": Image.Resampling.HAMMING,
    "pillow-lanczos": Image.Resampling.LANCZOS,
}


def scaled_size(
    size: tuple[int, int], factor: float | tuple[float, float]
) -> tuple[int, int]:
    """(w, h) times a factor, or (factor_w, factor_h), rounded half up as by mmcv."""
    factor_w, factor_h = factor if isinstance(factor, tuple) else (factor, factor)
    return int(size[0] * float(factor_w) + 0.5), int(size[1] * float(factor_h) + 0.5)


def fitted_size(size: tuple[int, int], scale: tuple[float, float]) -> tuple[int, int]:
    """The largest (w, h) with the ratio of `size` that fits the box `scale`."""
    factor = min(max(scale) / max(size), min(scale) / min(size))
    return scaled_size(size, factor)


_MAX_PIXELS = 1 << 28  # of a resized image; three bytes each
_MAX_RATIO = 100  # of the scale, which is about as large as the images


def shortest_edge_size(
    size: tuple[int, int], shortest: int, max_size: int
) -> tuple[int, int]:
    """The (w, h) with the ratio of `size` whose short side is `shortest`.

    Smaller if the long side would be more than `max_size`.
    """
    factor = shortest / min(size)
    # The short side is set, not computed: 0.5 and more is lost otherwise.
    sides = [shortest if s == min(size) else s * factor for s in size]
    if max(sides) > max_size:
        shrink = max_size / max(sides)
        sides = [s * shrink for s in sides]
    return int(sides[0] + 0.5), int(sides[1] + 0.5)


def resize(img: np.ndarray, size: tuple[int, int], interpolation: str) -> np.ndarray:
    """Resizes (H, W) or (H, W, C) to `size` = (w, h); the type stays."""
    if interpolation in _OF_PILLOW:
        return _resize_by_pillow(img, size, _OF_PILLOW[interpolation])
    resized = cv2.resize(img, size, interpolation=INTERPOLATION[interpolation])
    # cv2 drops a channel axis of length one.
    return resized.reshape(resized.shape[:2] + img.shape[2:])


def _resize_by_pillow(img, size, filter_of_pillow):
    if img.dtype != np.uint8:
        raise DataError(
            f"an image of {img.dtype}: Pillow's interpolations are for images of uint8"
        )
    channels = img[..., None] if img.ndim == 2 else img
    resized = [
        np.asarray(Image.fromarray(channel).resize(size, filter_of_pillow))
        for channel in np.moveaxis(channels, -1, 0)
    ]
    return np.stack(resized, axis=-1).reshape(size[::-1] + img.shape[2:])


def image_size(results: dict) -> tuple[int, int]:
    """(w, h) of `img`."""
    height, width = results["img"].shape[:2]
    return width, height


class Resizing(Transform):
    """Base of the transforms that stretch the whole image, and its targets with it.

    A RandomCrop behind one needs no more than these to join it (`resized_crop.py`).

    Attributes:
        interpolation: the interpolation of the image; a name of `INTERPOLATION`.
    """

    moves_pixels: ClassVar[bool] = False
    interpolation: str = "bilinear"

    def smallest_size(self, size: tuple[int, int]) -> tuple[int, int] | None:
        """(w, h), of what is drawn the smallest."""
        return None if self.draws else self.output_size(size)

    def target_size(self, results: dict, rng: np.random.Generator) -> tuple[int, int]:
        """Draws or computes the (w, h) that the image of a record is resized to.

        Raises:
            DataError: a side that becomes zero pixels long.
        """
        before = image_size(results)
        after = self.output_size(before, rng)
        if min(after) < 1:
            raise DataError(
                f"{results.get('img_path', 'an image')}: {type(self).__name__} would make an image "
                f"of {after[0]}x{after[1]} (w x h) from one of {before[0]}x{before[1]}; "
                "each side must be 1 or more. Leave so thin an image out, or resize to "
                "a larger scale."
            )
        if after[0] * after[1] > _MAX_PIXELS:
            raise DataError(
                f"{results.get('img_path')}: {type(self).__name__} would make an image "
                f"of {after[0]}x{after[1]} (w x h); {_MAX_PIXELS:,} pixels are allowed."
            )
        return after

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        size = self.target_size(results, rng)
        img = resize(results["img"], size, self.interpolation)
        changed = {"img": img, "img_shape": size[::-1]}
        return (
            results
            | changed
            | changed_targets(results, lambda target: resize(target, size, "nearest"))
        )


@dataclasses.dataclass(frozen=True)
class Resize(Resizing):
    """Resizes to a scale, or by a factor.

    Attributes:
        scale: (w, h), or one number for both; with `keep_ratio` the box to fit.
        scale_factor: factor, or (factor_w, factor_h); used if `scale` is None.
        keep_ratio: keep the ratio of width to height.
        interpolation: the interpolation of the image; 'nearest', 'bilinear', 'bicubic',
            'area', 'lanczos' are OpenCV's; 'pillow-bilinear' (-bicubic, -box, -hamming,
            -lanczos) are Pillow's, for images of uint8.
    """

    scale: int | tuple[int, int] | None = None
    scale_factor: float | tuple[float, float] | None = None
    keep_ratio: bool = False
    interpolation: str = "bilinear"

    draws: ClassVar[bool] = False

    def __post_init__(self):
        if (self.scale is None) == (self.scale_factor is None):
            raise DataError(
                f"Resize has scale={self.scale} and scale_factor={self.scale_factor}; "
                "exactly one of them must be set."
            )
        check_interpolation("Resize", self.interpolation)

    def output_size(
        self, size: tuple[int, int], rng: np.random.Generator | None = None
    ) -> tuple[int, int]:
        """(w, h) of the result for an image of `size` = (w, h); nothing is drawn."""
        if self.scale is None:
            scale = scaled_size(size, self.scale_factor)
        else:
            scale = _pair(self.scale)
        # mmcv fits even a size that scale_factor gave, which may move it by a pixel.
        return fitted_size(size, scale) if self.keep_ratio else scale


@dataclasses.dataclass(frozen=True)
class RandomResize(Resizing):
    """Resizes to a scale drawn from a range.

    Attributes:
        scale: (w, h), to be multiplied by a ratio from `ratio_range`; None is the
            image's own size. Or two of them, between which width and height are drawn
            independently (`ratio_range` None).
        ratio_range: smallest and largest ratio.
        keep_ratio: keep the ratio of width to height of the image.
        interpolation: the interpolation of the image, as in `Resize`.
        min_size: with `keep_ratio`, the short side becomes that of the drawn scale, or
            `min_size` if this is more, whatever length the long side then has.
    """

    scale: tuple[int, int] | tuple[tuple[int, int], tuple[int, int]] | None
    ratio_range: tuple[float, float] | None = None
    keep_ratio: bool = False
    interpolation: str = "bilinear"
    min_size: int | None = None

    def __post_init__(self):
        scale = (0, 0) if self.scale is None else self.scale
        is_range = isinstance(scale[0], tuple)
        if len(scale) != 2 or is_range != (self.ratio_range is None):
            raise DataError(
                f"RandomResize has scale={self.scale} and ratio_range="
                f"{self.ratio_range}; it takes one scale (w, h), or None, with a "
                "ratio_range, or two scales without one."
            )
        if self.min_size is not None and (self.min_size < 1 or not self.keep_ratio):
            raise DataError(
                f"RandomResize has min_size={self.min_size} and keep_ratio="
                f"{self.keep_ratio}; min_size must be 1 or more, and keep_ratio True."
            )
        if self.ratio_range is not None:
            low, high = self.ratio_range
            if not 0 < low <= high <= _MAX_RATIO:
                raise DataError(
                    f"RandomResize.ratio_range is {self.ratio_range}; it takes two "
                    f"ratios above 0, the smaller one first, of {_MAX_RATIO} at most."
                )
        check_interpolation("RandomResize", self.interpolation)

    def draw(self, size: tuple[int, int], rng: np.random.Generator) -> tuple[int, int]:
        """Draws the scale (w, h) for an image of `size` = (w, h)."""
        if self.ratio_range is None:
            (w0, h0), (w1, h1) = self.scale
            width = int(rng.integers(min(w0, w1), max(w0, w1) + 1))
            return width, int(rng.integers(min(h0, h1), max(h0, h1) + 1))
        low, high = self.ratio_range
        ratio = rng.random() * (high - low) + low
        width, height = self.scale or size
        return int(width * ratio), int(height * ratio)

    def smallest_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(w, h) by the smallest scale."""
        if self.ratio_range is None:
            scale = tuple(map(min, zip(*self.scale, strict=True)))
        else:
            sides = self.scale or size
            scale = tuple(int(side * min(self.ratio_range)) for side in sides)
        return self._size_by(scale, size)

    def output_size(
        self, size: tuple[int, int], rng: np.random.Generator
    ) -> tuple[int, int]:
        """Draws the (w, h) of the result for an image of `size` = (w, h)."""
        return self._size_by(self.draw(size, rng), size)

    def _size_by(self, scale, size):
        if self.min_size is None:
            return Resize(scale, keep_ratio=self.keep_ratio).output_size(size)
        shortest = max(self.min_size, min(scale))
        return fitted_size(size, (shortest, shortest * max(size) / min(size)))


@dataclasses.dataclass(frozen=True)
class ResizeShortestEdge(Resizing):
    """Resizes the short side to a length, the long side being bounded.

    Attributes:
        scale: length of the short side; of a tuple, the smaller number.
        max_size: largest length of the long side.
        interpolation: the interpolation of the image, as in `Resize`.
    """

    scale: int | tuple[int, int]
    max_size: int
    interpolation: str = "bilinear"

    draws: ClassVar[bool] = False

    def __post_init__(self):
        check_interpolation("ResizeShortestEdge", self.interpolation)

    def output_size(
        self, size: tuple[int, int], rng: np.random.Generator | None = None
    ) -> tuple[int, int]:
        """(w, h) of the result for an image of `size` = (w, h); nothing is drawn."""
        box = shortest_edge_size(size, min(_pair(self.scale)), self.max_size)
        return fitted_size(size, box)


@dataclasses.dataclass(frozen=True)
class RandomChoiceResize(Resizing):
    """Resizes to one of several scales, each as likely.

    Attributes:
        scales: the scales; (w, h) or one number each.
        resize_type: 'Resize' or 'ResizeShortestEdge'.
        keep_ratio: `keep_ratio` of 'Resize'.
        max_size: `max_size` of 'ResizeShortestEdge', which needs it.
    """

    scales: tuple[int | tuple[int, int], ...]
    resize_type: str = "Resize"
    keep_ratio: bool = False
    max_size: int | None = None

    def __post_init__(self):
        if self.resize_type not in ("Resize", "ResizeShortestEdge"):
            raise DataError(
                f"RandomChoiceResize.resize_type is {self.resize_type!r}; it must be "
                "'Resize' or 'ResizeShortestEdge'."
            )
        if (self.max_size is None) != (self.resize_type == "Resize"):
            raise DataError(
                f"RandomChoiceResize has resize_type={self.resize_type!r} and max_size="
                f"{self.max_size}; max_size belongs to 'ResizeShortestEdge'."
            )

    def draw(self, rng: np.random.Generator) -> int | tuple[int, int]:
        """Draws one of the scales."""
        return self.scales[int(rng.integers(len(self.scales)))]

    def smallest_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """The (w, h) with the shortest side, by any of the scales."""
        return min((self._size_by(scale, size) for scale in self.scales), key=min)

    def output_size(
        self, size: tuple[int, int], rng: np.random.Generator
    ) -> tuple[int, int]:
        """Draws the (w, h) of the result for an image of `size` = (w, h)."""
        return self._size_by(self.draw(rng), size)

    def _size_by(self, scale, size):
        if self.resize_type == "ResizeShortestEdge":
            return ResizeShortestEdge(scale, self.max_size).output_size(size)
        return Resize(scale, keep_ratio=self.keep_ratio).output_size(size)


def _pair(scale: int | tuple[int, int]) -> tuple[int, int]:
    return (scale, scale) if isinstance(scale, int) else scale


def check_interpolation(owner: str, name: str):
    known = (*INTERPOLATION, *_OF_PILLOW)
    if name not in known:
        raise DataError(
            f"{owner}.interpolation is {name!r}; it must be one of {known}."
        )

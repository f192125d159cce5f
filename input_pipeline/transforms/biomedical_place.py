"""mmseg's biomedical crop, padding and flip, on slices: (H, W, C).

Their sizes are (z, y, x), as those of the volumes that mmseg has; a slice is one of a
single z.
"""

import dataclasses
from typing import ClassVar

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.transforms.crop import crop
from input_pipeline.transforms.targets import changed_targets, fill_value
from input_pipeline.transforms.transform import Transform

# Pixels of a class of which one is drawn; of a large class at least this share.
_MOST_DRAWN, _LEAST_SHARE = 10_000, 0.01


def _side_lengths(transform: Transform, name: str) -> tuple[int, int]:
    """(y, x) of a size (z, y, x) whose z is 1."""
    size = getattr(transform, name)
    if isinstance(size, int):
        size = (size,) * 3
    if len(size) != 3 or min(size) < 1 or size[0] != 1:
        kind = type(transform).__name__
        raise DataError(
            f"{kind}.{name} is {getattr(transform, name)}; it must be (1, y, x): images "
            "are slices here. A depth above 1 is for networks of three dimensions, "
            "which jaxseg does not have."
        )
    return size[1:]


@dataclasses.dataclass(frozen=True)
class BioMedical3DRandomCrop(Transform):
    """Cuts a window out of a slice; a smaller slice is taken whole.

    Attributes:
        crop_shape: (1, y, x).
        keep_foreground: draw a pixel of a class other than 0, each class equally often;
            the window then begins between the image's corner and the place at which
            that pixel would be its centre, as in mmseg.

    Raises:
        DataError: a depth other than 1; `keep_foreground` without a `gt_seg_map`.
    """

    crop_shape: int | tuple[int, int, int]
    keep_foreground: bool = True

    def __post_init__(self):
        _side_lengths(self, "crop_shape")

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        size = _side_lengths(self, "crop_shape")
        shape = results["img"].shape[:2]
        limits = [max(length - side, 0) for length, side in zip(shape, size)]
        pixel = self._draw_foreground(results, rng) if self.keep_foreground else None
        if pixel is not None:
            centred = [max(at - side // 2, 0) for at, side in zip(pixel, size)]
            limits = [min(pair) for pair in zip(limits, centred)]
        rng.integers(0, 1)  # mmseg draws a place along z, too
        top, left = (int(rng.integers(0, limit + 1)) for limit in limits)

        def cropped(array):
            return crop(array, top, left, size)

        img = cropped(results["img"])
        changed = {"img": img, "img_shape": img.shape[:2]}
        return results | changed | changed_targets(results, cropped)

    def _draw_foreground(self, results, rng):
        """(row, column) of a pixel whose class is not 0, or None."""
        if "gt_seg_map" not in results:
            raise DataError(
                f"{results.get('img_path')}: BioMedical3DRandomCrop with "
                "keep_foreground needs a label; put LoadAnnotations before it."
            )
        label, drawn = results["gt_seg_map"], []
        for number in np.unique(label):
            if number in (0, results.get("ignore_index", 255)):
                continue
            places = np.argwhere(label == number)
            count = min(_MOST_DRAWN, len(places))
            count = max(count, int(np.ceil(len(places) * _LEAST_SHARE)))
            drawn.append(places[rng.choice(len(places), count, replace=False)])
        if not drawn:
            return None
        places = drawn[int(rng.choice(len(drawn)))]
        return places[rng.choice(len(places))]

    def output_size(
        self, size: tuple[int, int], rng: np.random.Generator | None = None
    ) -> tuple[int, int]:
        """(w, h) of the result for a slice of `size` = (w, h); only its place is drawn."""
        height, width = _side_lengths(self, "crop_shape")
        return min(size[0], width), min(size[1], height)

    def smallest_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """As `output_size`."""
        return self.output_size(size)


@dataclasses.dataclass(frozen=True)
class BioMedical3DPad(Transform):
    """Pads a slice to a size, as much on one side as on the other.

    mmseg 1.2.2 takes the height for the width, and loses the label; here neither.

    Attributes:
        pad_shape: (1, y, x); a larger slice stays as it is.
        pad_val: value of the image's new pixels.
        seg_pad_val: value of those of the label; other targets get what counts nowhere.

    Raises:
        DataError: a depth other than 1.
    """

    pad_shape: tuple[int, int, int]
    pad_val: float = 0.0
    seg_pad_val: int = 0

    draws: ClassVar[bool] = False

    def __post_init__(self):
        _side_lengths(self, "pad_shape")

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        size = _side_lengths(self, "pad_shape")
        ignored = results.get("ignore_index", 255)

        def padded(array, value):
            missing = [max(s - n, 0) for s, n in zip(size, array.shape[:2])]
            widths = [(n // 2, n - n // 2) for n in missing]
            widths += [(0, 0)] * (array.ndim - 2)
            return np.pad(array, widths, constant_values=value)

        img = padded(results["img"], self.pad_val)
        changed = {"img": img, "img_shape": img.shape[:2]}
        changed |= changed_targets(results, lambda t: padded(t, fill_value(t, ignored)))
        if "gt_seg_map" in results:
            changed["gt_seg_map"] = padded(results["gt_seg_map"], self.seg_pad_val)
        return results | changed

    def output_size(
        self, size: tuple[int, int], rng: np.random.Generator | None = None
    ) -> tuple[int, int]:
        """(w, h) of the result for a slice of `size` = (w, h); nothing is drawn."""
        height, width = _side_lengths(self, "pad_shape")
        return max(size[0], width), max(size[1], height)

    def smallest_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """As `output_size`."""
        return self.output_size(size)


@dataclasses.dataclass(frozen=True)
class BioMedical3DRandomFlip(Transform):
    """Flips a slice along its axes, each with its own coin.

    Attributes:
        prob: probability of each axis.
        axes: which axes, of 0 (z, along which a slice has nothing to flip), 1 (y, up and
            down) and 2 (x, left and right).
        swap_label_pairs: ids that change places in the label of a slice that is flipped,
            such as a left and a right kidney. mmseg 1.2.2 swaps them in all samples.

    Raises:
        DataError: fields that do not fit.
    """

    prob: float
    axes: tuple[int, ...]
    swap_label_pairs: tuple[tuple[int, int], ...] = ()

    changes_size: ClassVar[bool] = False

    def __post_init__(self):
        if not 0 <= self.prob <= 1:
            raise DataError(
                f"BioMedical3DRandomFlip.prob is {self.prob}; it must be in [0, 1]."
            )
        if not set(self.axes) <= {0, 1, 2}:
            raise DataError(
                f"BioMedical3DRandomFlip.axes is {self.axes}; allowed are 0 (z), 1 (y) "
                "and 2 (x)."
            )

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        flips = [axis in self.axes and rng.random() < self.prob for axis in (0, 1, 2)]
        steps = tuple(slice(None, None, -1 if flip else 1) for flip in flips[1:])
        if not any(flips[1:]):
            return results

        def flipped(array):
            return np.ascontiguousarray(array[steps])

        changed = {"img": flipped(results["img"]), **changed_targets(results, flipped)}
        if "gt_seg_map" in results:
            changed["gt_seg_map"] = self._swapped(changed["gt_seg_map"])
        return results | changed

    def _swapped(self, label):
        swapped = label.copy()
        for first, second in self.swap_label_pairs:
            swapped[label == first] = second
            swapped[label == second] = first
        return swapped

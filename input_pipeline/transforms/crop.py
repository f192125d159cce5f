"""Random crops that do not show one class only."""

import dataclasses
from collections.abc import Callable

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.transforms.labels import label_counts
from input_pipeline.transforms.targets import changed_targets, targets_of
from input_pipeline.transforms.transform import Transform

# MMSegmentation draws anew ten times at most, and takes the last draw unseen.
_REDRAWS = 10


def crop(array: np.ndarray, top: int, left: int, size: tuple[int, int]) -> np.ndarray:
    """The window of `size` = (h, w) at (top, left); smaller where `array` ends."""
    return array[top : top + size[0], left : left + size[1]]


def largest_share(label: np.ndarray, ignore_index: int) -> float:
    """Share of the most frequent id among the pixels that count; 1 if none does."""
    counts = label_counts(label)
    if ignore_index < len(counts):
        counts[ignore_index] = 0
    if not counts.any():
        return 1.0
    return counts.max() / counts.sum()


def is_dominated(label: np.ndarray, ignore_index: int, ratio: float) -> bool:
    """Whether one id has `ratio` or more of the pixels that count, or is alone.

    `largest_share(...) >= ratio`, mostly without counting every id, which takes 0.6 ms
    at 512x1024, half of what a crop costs. An id that is frequent in every 16th row and
    column is counted alone: with more than 1 - ratio of all pixels it leaves too few for
    any other, and then its own share decides.
    """
    sampled = label_counts(label[::16, ::16])
    if ignore_index < len(sampled):
        sampled[ignore_index] = 0
    frequent = sampled.argmax()
    if sampled[frequent]:
        total = label.size - np.count_nonzero(label == ignore_index)
        count = np.count_nonzero(label == frequent)
        if count / total >= ratio:
            return True
        if (total - count) / total < ratio:
            return False
    return largest_share(label, ignore_index) >= ratio


@dataclasses.dataclass(frozen=True)
class RandomCrop(Transform):
    """Cuts a window out of image and targets; a smaller image is taken whole.

    Attributes:
        crop_size: (h, w), or one number for both. Mind that scales are (w, h).
        cat_max_ratio: while one class has this share of the counting pixels, or is
            alone, the place is drawn anew; ten times at most. 1.0 takes any place.
        ignore_index: label that does not count for `cat_max_ratio`; by default the data
            set's.
        crop_first: where it stands right behind a resizing, interpolate little more
            than the window, by which pixels change by one grey level at most; see
            `resized_crop.py`.
    """

    crop_size: int | tuple[int, int]
    cat_max_ratio: float = 1.0
    ignore_index: int | None = None
    crop_first: bool = False

    def __post_init__(self):
        if min(self.size) < 1:
            raise DataError(
                f"RandomCrop.crop_size is {self.crop_size}; it takes (height, width) of "
                "1 pixel at least."
            )

    @property
    def size(self) -> tuple[int, int]:
        """(h, w)."""
        if isinstance(self.crop_size, int):
            return self.crop_size, self.crop_size
        return self.crop_size

    def draw(
        self,
        shape: tuple[int, int],
        label_at: Callable[[int, int], np.ndarray],
        results: dict,
        rng: np.random.Generator,
    ) -> tuple[int, int]:
        """Draws (top, left) in an image of `shape` = (h, w).

        Args:
            shape: (h, w) of the image.
            label_at: the label in the window at (top, left); called only where
                `cat_max_ratio` needs it.
            results: the record, for the data set's `ignore_index`.
            rng: what draws.
        """
        place = self._draw_place(shape, rng)
        if self.cat_max_ratio < 1.0:
            ignored = self.ignore_index
            if ignored is None:
                ignored = results.get("ignore_index", 255)
            for _ in range(_REDRAWS):
                if not is_dominated(label_at(*place), ignored, self.cat_max_ratio):
                    break
                place = self._draw_place(shape, rng)
        return place

    def _draw_place(
        self, shape: tuple[int, int], rng: np.random.Generator
    ) -> tuple[int, int]:
        height, width = self.size
        top = int(rng.integers(0, max(shape[0] - height, 0) + 1))
        left = int(rng.integers(0, max(shape[1] - width, 0) + 1))
        return top, left

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        self.check(results)

        def label_at(top, left):
            return crop(results["gt_seg_map"], top, left, self.size)

        top, left = self.draw(results["img"].shape[:2], label_at, results, rng)
        img = crop(results["img"], top, left, self.size)
        changed = {"img": img, "img_shape": img.shape[:2]}

        def cropped(target):
            return crop(target, top, left, self.size)

        return results | changed | changed_targets(results, cropped)

    def output_size(
        self, size: tuple[int, int], rng: np.random.Generator | None = None
    ) -> tuple[int, int]:
        """(w, h) of the result for an image of `size` = (w, h); only its place is drawn."""
        height, width = self.size
        return min(size[0], width), min(size[1], height)

    def smallest_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """As `output_size`."""
        return self.output_size(size)

    def check(self, results: dict):
        """Raises DataError without a label that is needed, or with a misfit target."""
        if "gt_seg_map" not in results and self.cat_max_ratio < 1.0:
            raise DataError(
                f"{results.get('img_path')}: RandomCrop with cat_max_ratio="
                f"{self.cat_max_ratio} needs a label; put LoadAnnotations before it."
            )
        img = results["img"].shape[:2]
        for key, target in targets_of(results).items():
            if target.shape[:2] != img:
                raise DataError(
                    f"{results.get('img_path')}: RandomCrop got an image of "
                    f"{img[0]}x{img[1]} and {_name(key)} of {target.shape[0]}x"
                    f"{target.shape[1]} (h x w); they must be equal. In a training "
                    "pipeline LoadAnnotations stands before the resizing."
                )


def _name(key: str) -> str:
    return "a label" if key == "gt_seg_map" else f"a {key}"

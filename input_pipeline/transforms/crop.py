"""Random crops that do not show one class only."""

import dataclasses

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.transforms.labels import label_counts

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


@dataclasses.dataclass(frozen=True)
class RandomCrop:
    """Cuts a window out of image and label; a smaller image is taken whole.

    Attributes:
      crop_size: (h, w), or one number for both. Mind that scales are (w, h).
      cat_max_ratio: while one class has this share of the counting pixels, or is
        alone, the place is drawn anew; ten times at most. 1.0 takes any place.
      ignore_index: label that does not count for `cat_max_ratio`; by default the data
        set's.
    """

    crop_size: int | tuple[int, int]
    cat_max_ratio: float = 1.0
    ignore_index: int | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(h, w)."""
        if isinstance(self.crop_size, int):
            return self.crop_size, self.crop_size
        return self.crop_size

    def draw(self, results: dict, rng: np.random.Generator) -> tuple[int, int]:
        """Draws (top, left)."""
        place = self._draw_place(results["img"], rng)
        if self.cat_max_ratio < 1.0:
            ignored = self.ignore_index
            if ignored is None:
                ignored = results.get("ignore_index", 255)
            for _ in range(_REDRAWS):
                label = crop(results["gt_seg_map"], *place, self.size)
                if largest_share(label, ignored) < self.cat_max_ratio:
                    break
                place = self._draw_place(results["img"], rng)
        return place

    def _draw_place(self, img: np.ndarray, rng: np.random.Generator) -> tuple[int, int]:
        height, width = self.size
        top = int(rng.integers(0, max(img.shape[0] - height, 0) + 1))
        left = int(rng.integers(0, max(img.shape[1] - width, 0) + 1))
        return top, left

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        _check_label(results, self.cat_max_ratio)
        top, left = self.draw(results, rng)
        img = crop(results["img"], top, left, self.size)
        changed = {"img": img, "img_shape": img.shape[:2]}
        if "gt_seg_map" in results:
            changed["gt_seg_map"] = crop(results["gt_seg_map"], top, left, self.size)
        return results | changed


def _check_label(results: dict, cat_max_ratio: float):
    if "gt_seg_map" not in results:
        if cat_max_ratio < 1.0:
            raise DataError(
                f"{results.get('img_path')}: RandomCrop with cat_max_ratio="
                f"{cat_max_ratio} needs a label; put LoadAnnotations before it."
            )
        return
    img, label = results["img"].shape[:2], results["gt_seg_map"].shape
    if img != label:
        raise DataError(
            f"{results.get('img_path')}: RandomCrop got an image of {img[0]}x{img[1]} "
            f"and a label of {label[0]}x{label[1]} (h x w); they must be equal. In a "
            "training pipeline LoadAnnotations stands before the resizing."
        )

"""Random rotation."""

import dataclasses

import cv2
import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.transforms.resize import INTERPOLATION
from input_pipeline.transforms.targets import changed_targets, fill_value
from input_pipeline.transforms.transform import Transform


def rotate(
    array: np.ndarray,
    degrees: float,
    interpolation: str = "bilinear",
    pad_val: float = 0,
    center: tuple[float, float] | None = None,
    auto_bound: bool = False,
) -> np.ndarray:
    """Rotates (H, W) or (H, W, C) clockwise.

    Args:
        array: what to rotate.
        degrees: the angle.
        interpolation: 'bilinear' for images, 'nearest' for labels.
        pad_val: value of the pixels that come in, in every channel. (mmcv sets the
            first channel only, and zero in the others.)
        center: (x, y) to rotate about; None is the middle.
        auto_bound: grow the result so that nothing is cut off.
    """
    height, width = array.shape[:2]
    if center is None:
        center = ((width - 1) * 0.5, (height - 1) * 0.5)
    matrix = cv2.getRotationMatrix2D(center, -degrees, 1.0)
    if auto_bound:
        cos, sin = np.abs(matrix[0, :2])
        new_width = height * sin + width * cos
        new_height = height * cos + width * sin
        matrix[:, 2] += (new_width - width) * 0.5, (new_height - height) * 0.5
        width, height = int(np.round(new_width)), int(np.round(new_height))
    rotated = cv2.warpAffine(
        array,
        matrix,
        (width, height),
        flags=INTERPOLATION[interpolation],
        borderValue=(pad_val,) * 4,  # cv2 goes round these four for more channels
    )
    return rotated.reshape(rotated.shape[:2] + array.shape[2:])


@dataclasses.dataclass(frozen=True)
class RandomRotate(Transform):
    """Rotates image and targets by a random angle.

    Attributes:
        prob: probability of a rotation.
        degree: largest angle, either way; or smallest and largest.
        pad_val: value of the image's pixels that come in.
        seg_pad_val: the same of the targets; by default what counts nowhere: the data
            set's `ignore_index`, or 0 of measured quantities.
        center: (x, y) to rotate about; None is the middle.
        auto_bound: grow the result so that nothing is cut off; not with `center`.
    """

    prob: float
    degree: float | tuple[float, float]
    pad_val: float = 0
    seg_pad_val: int | None = None
    center: tuple[float, float] | None = None
    auto_bound: bool = False

    def __post_init__(self):
        if not 0 <= self.prob <= 1:
            raise DataError(f"RandomRotate.prob is {self.prob}; it must be in [0, 1].")
        if self.center is not None and self.auto_bound:
            raise DataError(
                f"RandomRotate has center={self.center} and auto_bound; only one of "
                "them may be set."
            )

    @property
    def changes_size(self) -> bool:
        """Only where the result grows, by an angle that is drawn."""
        return self.auto_bound

    def draw(self, rng: np.random.Generator) -> float | None:
        """Draws an angle in degrees, or None: no rotation."""
        rotated = rng.random() < self.prob
        if isinstance(self.degree, tuple):
            low, high = min(self.degree), max(self.degree)
        else:
            low, high = -self.degree, self.degree
        degrees = rng.uniform(low, high)  # drawn either way, as MMSegmentation does
        return degrees if rotated else None

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        degrees = self.draw(rng)
        if degrees is None:
            return results
        how = {"center": self.center, "auto_bound": self.auto_bound}
        img = rotate(results["img"], degrees, pad_val=self.pad_val, **how)
        changed = {"img": img, "img_shape": img.shape[:2]}
        ignored = results.get("ignore_index", 255)

        def rotated(target):
            value = self.seg_pad_val
            if value is None:
                value = fill_value(target, ignored)
            return rotate(target, degrees, "nearest", value, **how)

        return results | changed | changed_targets(results, rotated)

"""Mosaic: four images around a random centre, of which a crop then takes a part."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.transforms.mixed_records import mixed_records
from input_pipeline.transforms.resize import image_size, resize
from input_pipeline.transforms.targets import fill_value, targets_of
from input_pipeline.transforms.transform import Transform


@dataclasses.dataclass(frozen=True)
class RandomMosaic(Transform):
    """Joins an image and three others of its data set, in a MultiImageMixDataset.

    Bochkovskiy et al., YOLOv4, arXiv:2004.10934. Each of the four is resized to fit
    `img_scale`, its ratio kept, and lies with one corner at the centre: the image
    itself above and left of it, the others above and right, below and left, below and
    right. The result has twice the height and width of `img_scale`.

    Attributes:
        prob: probability of a mosaic.
        img_scale: (height, width) of one of the four.
        center_ratio_range: smallest and largest place of the centre, in heights and
            widths of `img_scale`; of 0 to 2.
        pad_val: value of the image where none of the four is, in every channel.
        seg_pad_val: the same of the targets; by default what counts nowhere.

    Raises:
        DataError: fields that do not fit; a record without the three others, or with
            others that have other targets or channels, or are too thin.
    """

    prob: float
    img_scale: tuple[int, int] = (640, 640)
    center_ratio_range: tuple[float, float] = (0.5, 1.5)
    pad_val: float = 0
    seg_pad_val: int | None = None

    def __post_init__(self):
        if not 0 <= self.prob <= 1:
            raise DataError(f"RandomMosaic.prob is {self.prob}; it must be in [0, 1].")
        if len(self.img_scale) != 2 or min(self.img_scale) < 1:
            raise DataError(
                f"RandomMosaic.img_scale is {self.img_scale}; it must be a height and "
                "a width of 1 or more."
            )
        low, high = self.center_ratio_range
        if not 0 <= low <= high <= 2:
            raise DataError(
                f"RandomMosaic.center_ratio_range is {self.center_ratio_range}; it "
                "must be two numbers from 0 to 2, the smaller one first."
            )

    def get_indices(self, count: int, rng: np.random.Generator) -> tuple[int, ...]:
        """Draws three samples, which may be one and the same."""
        return tuple(int(rng.integers(0, count)) for _ in range(3))

    def output_size(
        self, size: tuple[int, int], rng: np.random.Generator | None = None
    ) -> tuple[int, int] | None:
        """(w, h) of the mosaic, or of the image; None without `rng`."""
        if rng is None:
            return None
        return self._canvas[::-1] if rng.random() < self.prob else size

    def smallest_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(w, h) of the mosaic; or, where there may be none, the smaller sides."""
        height, width = self._canvas
        if self.prob == 1:
            return width, height
        return min(width, size[0]), min(height, size[1])

    @property
    def _canvas(self) -> tuple[int, int]:
        return 2 * self.img_scale[0], 2 * self.img_scale[1]

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        if rng.random() >= self.prob:
            return results
        center_x = int(rng.uniform(*self.center_ratio_range) * self.img_scale[1])
        center_y = int(rng.uniform(*self.center_ratio_range) * self.img_scale[0])
        records = mixed_records(results, 3, "RandomMosaic")
        self._check(records)

        def joined(key, interpolation, value):
            first = records[0][key]
            canvas = np.full((*self._canvas, *first.shape[2:]), value, first.dtype)
            for place, record in enumerate(records):
                img = resize(record[key], self._fitted(record), interpolation)
                to_y, from_y = _spans(center_y, img.shape[0], len(canvas), place > 1)
                to_x, from_x = _spans(
                    center_x, img.shape[1], canvas.shape[1], place % 2
                )
                canvas[to_y, to_x] = img[from_y, from_x]
            return canvas

        changed = {"img": joined("img", "bilinear", self.pad_val)}
        changed |= {"img_shape": self._canvas, "ori_shape": self._canvas}
        ignored = results.get("ignore_index", 255)
        for key, target in targets_of(results).items():
            value = self.seg_pad_val
            if value is None:
                value = fill_value(target, ignored)
            changed[key] = joined(key, "nearest", value)
        return results | changed

    def _fitted(self, record):
        """(w, h) of a record's image in the mosaic; mmcv's rounding is another one."""
        width, height = image_size(record)
        factor = min(self.img_scale[0] / height, self.img_scale[1] / width)
        return int(width * factor), int(height * factor)

    def _check(self, records: Sequence[dict]):
        for record in records:
            if min(self._fitted(record)) < 1:
                raise DataError(
                    f"{record.get('img_path')}: of its {image_size(record)} (w x h) no "
                    f"pixel is left within img_scale={self.img_scale} (h x w) of "
                    "RandomMosaic. Leave so thin an image out."
                )


def _spans(center: int, length: int, canvas: int, behind: bool) -> tuple[slice, slice]:
    """Where on one side of the mosaic an image goes, and which part of it.

    Args:
        center: the place of the centre.
        length: the image's side.
        canvas: the mosaic's side.
        behind: the image begins at the centre; otherwise it ends there.
    """
    if behind:
        stop = min(center + length, canvas)
        return slice(center, stop), slice(0, stop - center)
    start = max(center - length, 0)
    return slice(start, center), slice(length - (center - start), length)

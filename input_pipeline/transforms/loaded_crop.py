"""Loaded crop: loading and the RandomCrop behind it, joined: less is decoded.

Of a TIFF that has many more pixels than the crop, only the tiles or strips that the crop
needs are read, and so the image may be larger than the memory. The sample is that of the
transforms one by one, with the same draws.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from input_pipeline.transforms.crop import RandomCrop
from input_pipeline.transforms.loading import LoadAnnotations, LoadImageFromFile
from input_pipeline.transforms.resized_crop import ResizedCrop, join_resize_and_crop
from input_pipeline.transforms.transform import Transform

# Crops of a smaller image are cut out of the whole: with `cat_max_ratio` eleven places
# are looked at.
_MANY = 16


def join_loading_and_crop(pipeline: Sequence[Callable]) -> list[Callable]:
    """A pipeline of joined steps: what begins it, and `join_resize_and_crop`."""
    steps = join_resize_and_crop(pipeline)
    if not steps or not isinstance(steps[0], LoadImageFromFile):
        return steps
    count = 2 if len(steps) > 1 and isinstance(steps[1], LoadAnnotations) else 1
    if len(steps) == count or not _takes_windows(steps[count]):
        return steps
    return [LoadedCrop(*steps[:count], crop=steps[count]), *steps[count + 1 :]]


def _takes_windows(step):
    if isinstance(step, ResizedCrop):
        # Otherwise all is resized that lies above and to the left of the crop.
        return step.crop.crop_first and step.resize.interpolation == "bilinear"
    return isinstance(step, RandomCrop)


@dataclasses.dataclass(frozen=True)
class LoadedCrop(Transform):
    """What `image`, `labels` (perhaps None) and then `crop` do, with the same draws."""

    image: LoadImageFromFile
    labels: LoadAnnotations | None = None
    crop: RandomCrop | ResizedCrop = dataclasses.field(kw_only=True)

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        loaded = self.image.without_pixels(results)
        if loaded is None or not self._pays(loaded["img"]):
            loaded = self.image(results, rng)
            if self.labels is not None:
                loaded = self.labels(loaded, rng)
        elif self.labels is not None:
            loaded = self.labels.without_pixels(loaded)
        return self.crop(loaded, rng)

    def _pays(self, windows):
        """Whether windows of an image are worth their while, and can be resized."""
        resized = isinstance(self.crop, ResizedCrop)
        if resized and windows.dtype.kind != "u":
            return False
        height, width = (self.crop.crop if resized else self.crop).size
        return windows.shape[0] * windows.shape[1] > _MANY * height * width

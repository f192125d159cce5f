"""Formatting: the last entry of a pipeline."""

import dataclasses
from typing import ClassVar

import numpy as np

from input_pipeline.transforms.targets import TARGET_SCALE, targets_of
from input_pipeline.transforms.transform import Transform

# What transforms with `on_device` have drawn, one array a sample.
DEVICE_KEYS = ("device_flip", "device_distortion")


@dataclasses.dataclass(frozen=True)
class PackSegInputs(Transform):
    """Keeps what a batch is made of: contiguous `img` and `gt_*`, and metadata.

    What is left to the device stays with them (`DEVICE_KEYS`).

    Attributes:
        meta_keys: further keys to keep, where a record has them.
    """

    meta_keys: tuple[str, ...] = ("img_path", "ori_shape", "img_shape")

    draws: ClassVar[bool] = False
    changes_size: ClassVar[bool] = False
    moves_pixels: ClassVar[bool] = False
    touches_pixels: ClassVar[bool] = False

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        arrays = {"img": results["img"]} | targets_of(results)
        arrays = {key: np.ascontiguousarray(array) for key, array in arrays.items()}
        kept = (*self.meta_keys, TARGET_SCALE, *DEVICE_KEYS)
        return arrays | {k: results[k] for k in kept if k in results}

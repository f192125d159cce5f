"""The last entry of a pipeline."""

import dataclasses

import numpy as np

_ARRAYS = ("img", "gt_seg_map")

# What transforms with `on_device` have drawn, one array a sample.
DEVICE_KEYS = ("device_flip", "device_distortion")


@dataclasses.dataclass(frozen=True)
class PackSegInputs:
    """Keeps what a batch is made of: contiguous `img` and `gt_seg_map`, and metadata.

    What is left to the device stays with them (`DEVICE_KEYS`).

    Attributes:
      meta_keys: further keys to keep, where a record has them.
    """

    meta_keys: tuple[str, ...] = ("img_path", "ori_shape", "img_shape")

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        arrays = {k: np.ascontiguousarray(results[k]) for k in _ARRAYS if k in results}
        kept = (*self.meta_keys, *DEVICE_KEYS)
        return arrays | {k: results[k] for k in kept if k in results}

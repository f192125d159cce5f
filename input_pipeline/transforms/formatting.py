"""The last entry of a pipeline."""

import dataclasses

import numpy as np

_ARRAYS = ("img", "gt_seg_map")


@dataclasses.dataclass(frozen=True)
class PackSegInputs:
    """Keeps what a batch is made of: contiguous `img` and `gt_seg_map`, and metadata.

    Attributes:
      meta_keys: further keys to keep, where a record has them.
    """

    meta_keys: tuple[str, ...] = ("img_path", "ori_shape", "img_shape")

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        arrays = {k: np.ascontiguousarray(results[k]) for k in _ARRAYS if k in results}
        return arrays | {k: results[k] for k in self.meta_keys if k in results}

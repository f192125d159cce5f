"""Targets: what a sample's loss is measured against, `gt_seg_map` and every `gt_*`.

A target is a map of the size of its image, (H, W) or (H, W, C): class ids, edges,
depths. Every transform takes all of them along. They are never interpolated.
Behind SegRescale they have other sides, `TARGET_SCALE` times those of the image.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

_PREFIX = "gt_"

# The key of a record: sides of its targets over those of its image, where not 1.
TARGET_SCALE = "target_scale"


def targets_of(results: Mapping[str, Any]) -> dict[str, Any]:
    """The targets of a record, or of a batch, by their key."""
    return {key: value for key, value in results.items() if key.startswith(_PREFIX)}


def changed_targets(
    results: Mapping[str, Any], change: Callable[[np.ndarray], np.ndarray]
) -> dict[str, np.ndarray]:
    """Every target of a record after `change`, by its key."""
    return {key: change(target) for key, target in targets_of(results).items()}


def fill_value(target: np.ndarray, ignore_index: int) -> float:
    """The value of pixels that a target did not have: it must count nowhere.

    Integers get `ignore_index`. Of measured quantities (floats) it is 0, which means
    "not measured" in maps of depth; the losses on them leave it out.
    """
    return ignore_index if target.dtype.kind in "iu" else 0.0

"""Segmentation map rescaling: targets of another size than their image."""

import dataclasses
from typing import ClassVar

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.transforms.resize import resize, scaled_size
from input_pipeline.transforms.targets import TARGET_SCALE, changed_targets
from input_pipeline.transforms.transform import Transform


@dataclasses.dataclass(frozen=True)
class SegRescale(Transform):
    """Resizes the targets alone (nearest), as mmseg's: losses are taken at their size.

    A loss resizes the logits to its target, so that a model with a stride of 8 learns
    from labels of an eighth without that. It stands behind what changes the image's
    size, in a training pipeline.

    Attributes:
        scale_factor: sides of a target over those of its image.
    """

    scale_factor: float = 1

    draws: ClassVar[bool] = False
    changes_size: ClassVar[bool] = False
    moves_pixels: ClassVar[bool] = False

    def __post_init__(self):
        if not self.scale_factor > 0:
            raise DataError(
                f"SegRescale.scale_factor is {self.scale_factor}; it must be above 0."
            )

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        def change(target):
            height, width = target.shape[:2]
            size = scaled_size((width, height), self.scale_factor)
            if 0 in size:
                raise DataError(
                    f"{results.get('img_path')}: SegRescale.scale_factor "
                    f"{self.scale_factor} makes a label of {height}x{width} (h x w) "
                    "nothing."
                )
            return resize(target, size, "nearest")

        scale = results.get(TARGET_SCALE, 1) * self.scale_factor
        return results | changed_targets(results, change) | {TARGET_SCALE: scale}

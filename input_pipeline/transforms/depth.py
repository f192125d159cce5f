"""Depth maps, beside or in place of labels."""

import dataclasses
from typing import ClassVar

import numpy as np

from input_pipeline.decode import read_image
from input_pipeline.errors import DataError
from input_pipeline.formats.limits import MAX_PIXELS
from input_pipeline.transforms.transform import Transform


@dataclasses.dataclass(frozen=True)
class LoadDepthAnnotation(Transform):
    """Puts the depths of `depth_map_path` into `gt_depth_map`, (H, W) float32.

    Attributes:
        depth_rescale_factor: what the stored values are multiplied by; 0.001 makes
            metres of NYU's millimetres.
        max_pixels: the largest height * width that is decoded.

    Raises:
        DataError: a record without a depth map, a map of several channels, or of another
            size than the image.
    """

    depth_rescale_factor: float = 1.0
    max_pixels: int = MAX_PIXELS

    draws: ClassVar[bool] = False
    changes_size: ClassVar[bool] = False
    moves_pixels: ClassVar[bool] = False
    makes_targets: ClassVar[tuple[str, ...]] = ("gt_depth_map",)

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        if "depth_map_path" not in results:
            raise DataError(
                f"{results.get('img_path', 'a record')}: LoadDepthAnnotation, but the "
                "record has no depth map; NYUDataset has them."
            )
        path = results["depth_map_path"]
        stored = read_image(path, "unchanged", self.max_pixels)
        if stored.shape[2] != 1 or stored.shape[:2] != results["ori_shape"]:
            raise DataError(
                f"{path}: a depth map of {stored.shape}; expected is one channel of "
                f"{results['ori_shape']}, the size of {results['img_path']}."
            )
        depth = stored[..., 0].astype(np.float32)
        depth *= np.float32(self.depth_rescale_factor)
        return results | {"gt_depth_map": depth}

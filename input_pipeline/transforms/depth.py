"""Depth: loading a map of distances, and mixing it into its image."""

import dataclasses
from typing import ClassVar

import numpy as np

from input_pipeline.decode import MAX_PIXELS, read_image
from input_pipeline.errors import DataError
from input_pipeline.transforms.transform import Transform


@dataclasses.dataclass(frozen=True)
class LoadDepthAnnotation(Transform):
    """Puts the distances of `depth_map_path` into `gt_depth_map`, (H, W) float32.

    0 means that a distance is not known. In a test pipeline it stands behind Resize, and
    the map keeps the original size.

    Attributes:
        decode_backend: 'cv2': a picture of one channel, mostly a PNG of 16 bits.
        to_float32: True.
        depth_rescale_factor: what the numbers of the file are multiplied by: 0.001
            makes metres of millimetres.
        max_pixels: the largest height * width that is decoded.

    Raises:
        DataError: on a file that cannot be read, has several channels, or is of another
            size than the image.
    """

    decode_backend: str = "cv2"
    to_float32: bool = True
    depth_rescale_factor: float = 1.0
    max_pixels: int = MAX_PIXELS

    draws: ClassVar[bool] = False
    changes_size: ClassVar[bool] = False
    moves_pixels: ClassVar[bool] = False
    makes_targets: ClassVar[tuple[str, ...]] = ("gt_depth_map",)

    def __post_init__(self):
        if self.decode_backend != "cv2" or not self.to_float32:
            raise DataError(
                f"LoadDepthAnnotation has decode_backend={self.decode_backend!r} and "
                f"to_float32={self.to_float32}; they must be 'cv2' and True."
            )

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        source = results.get("depth_map_path")
        if source is None:
            raise DataError(
                f"{results.get('img_path', 'an image')}: LoadDepthAnnotation, but the "
                "sample has no depth_map_path; give the data set "
                "data_prefix.depth_map_path, or take it out of the pipeline."
            )
        depth = read_image(source, "unchanged", self.max_pixels)
        if depth.shape[2] != 1:
            raise DataError(
                f"{source} has {depth.shape[2]} channels; a map of depths has one."
            )
        size = tuple(results["ori_shape"][:2])
        if depth.shape[:2] != size:
            raise DataError(
                f"{source} is {depth.shape[0]}x{depth.shape[1]} (height x width), its "
                f"image {size[0]}x{size[1]}; they must be equal."
            )
        factor = np.float32(self.depth_rescale_factor)
        depth = depth[..., 0].astype(np.float32) * factor
        return results | {
            "gt_depth_map": depth,
            "depth_rescale_factor": self.depth_rescale_factor,
        }


@dataclasses.dataclass(frozen=True)
class RandomDepthMix(Transform):
    """Puts the numbers of the depth's file in the place of a vertical part of the image.

    VPD's: https://arxiv.org/abs/2303.02153. Numbers that a pixel cannot hold wrap
    around, as in mmseg: of millimetres 256 is 0.

    Attributes:
        prob: how often.
        mix_scale_ratio: the most that the part takes of what is right of where it
            begins.
    """

    prob: float = 0.25
    mix_scale_ratio: float = 0.75

    changes_size: ClassVar[bool] = False
    moves_pixels: ClassVar[bool] = False

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        if "gt_depth_map" not in results:
            raise DataError(
                f"{results.get('img_path', 'an image')}: RandomDepthMix needs "
                "gt_depth_map; put LoadDepthAnnotation before it."
            )
        if rng.random() > self.prob:
            return results
        total = results["img"].shape[1]
        left = int(total * rng.random())
        width = int(max(1, (total - left) * (self.mix_scale_ratio * rng.random())))
        part = np.s_[:, left : left + width]
        img = results["img"].copy()
        depth = results["gt_depth_map"][part] / results.get("depth_rescale_factor", 1)
        if img.dtype.kind in "iu":
            depth = depth.astype(np.int64)
        img[part] = depth[..., None].astype(img.dtype)
        return results | {"img": img}

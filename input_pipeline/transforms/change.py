"""Change detection: two images of one place as one image of twice as many channels."""

import dataclasses
from typing import ClassVar

import numpy as np

from input_pipeline.decode import MAX_PIXELS, as_image, read_image
from input_pipeline.errors import DataError
from input_pipeline.transforms.transform import Transform

# Of a single image: colours and alpha, or an infrared band.
_MOST_CHANNELS = 4


@dataclasses.dataclass(frozen=True)
class LoadMultipleRSImageFromFile(Transform):
    """Puts the pixels of `img_path` and `img_path2` into `img` and `img2`, (H, W, C).

    Both keep the channels and the type of their files, in RGB order; mmseg needs GDAL
    for it. An array, or a file by itself, has the channels of both. Sets `ori_shape`
    and `img_shape`, (h, w).

    Attributes:
        to_float32: convert the pixels to float32. In mmseg that is the default; the
            training and the prediction compute the same of whole numbers.
        max_pixels: the largest height * width that is decoded.
    """

    to_float32: bool = False
    max_pixels: int = MAX_PIXELS

    draws: ClassVar[bool] = False
    changes_size: ClassVar[bool] = False
    moves_pixels: ClassVar[bool] = False
    loads_image: ClassVar[bool] = True

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        images = self._read(results)
        first = images["img"]
        for image in images.values():
            if image.shape != first.shape:
                raise DataError(
                    f"{results['img_path']} is {first.shape} (height, width, channels), "
                    f"{results['img_path2']} {image.shape}; they must be equal."
                )
        if self.to_float32:
            images = {key: image.astype(np.float32) for key, image in images.items()}
        shape = first.shape[:2]
        return results | images | {"ori_shape": shape, "img_shape": shape}

    def _read(self, results):
        if "img" in results:
            source = results.get("img_path", "an image given as an array")
            return {"img": as_image(results["img"], "unchanged", source)}
        paths = {"img": "img_path", "img2": "img_path2"}
        images = {
            key: read_image(results[path], "unchanged", self.max_pixels)
            for key, path in paths.items()
            if path in results
        }
        if "img2" not in images and images["img"].shape[2] <= _MOST_CHANNELS:
            raise DataError(
                f"{results['img_path']} is one image, and LoadMultipleRSImageFromFile "
                "takes two: those of a BaseCDDataset, or an array or a file (NPY, TIFF) "
                "with the channels of both."
            )
        return images


@dataclasses.dataclass(frozen=True)
class ConcatCDInput(Transform):
    """Joins the channels of two images: `img` becomes (H, W, 2 C).

    Transforms behind it treat both alike; those between it and the loading, but for
    Albu, see `img` alone.

    Attributes:
        input_keys: the keys of the images in their order.
    """

    input_keys: tuple[str, ...] = ("img", "img2")

    draws: ClassVar[bool] = False
    changes_size: ClassVar[bool] = False
    moves_pixels: ClassVar[bool] = False

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        images = [results[key] for key in self.input_keys if key in results]
        if len({image.shape[:2] for image in images}) > 1:
            raise DataError(
                f"{results['img_path']}: ConcatCDInput gets images of "
                f"{' and '.join(str(image.shape[:2]) for image in images)} (height, "
                "width); it stands before what changes a size."
            )
        rest = {k: v for k, v in results.items() if k not in self.input_keys}
        return rest | {"img": np.concatenate(images, axis=2)}

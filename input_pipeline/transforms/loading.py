"""Loading: from a record's paths to pixels and class ids."""

import dataclasses
from typing import ClassVar

import numpy as np

from input_pipeline.decode import (
    COLOR_TYPES,
    MAX_PIXELS,
    as_image,
    read_image,
    read_label,
)
from input_pipeline.errors import DataError
from input_pipeline.transforms import labels
from input_pipeline.transforms.transform import Transform
from input_pipeline.windows import Windows, open_image, open_label


@dataclasses.dataclass(frozen=True)
class LoadImageFromFile(Transform):
    """Puts the pixels of `img_path` into `img`, (H, W, C), RGB.

    A record that has `img` already keeps it. Sets `ori_shape` and `img_shape`, (h, w).
    A `gt_seg_map` of the record waits as `raw_seg_map` for LoadAnnotations, so that a
    Resize between the two leaves it alone.

    Attributes:
        color_type: 'color' (RGB, uint8), 'grayscale' or 'unchanged' (any type and
            number of channels); see `decode.read_image`.
        to_float32: convert the pixels to float32.
        backend_args: None or {'backend': 'local'}; files are read from local paths.
        max_pixels: the largest height * width that is decoded.
    """

    color_type: str = "color"
    to_float32: bool = False
    backend_args: dict | None = None
    max_pixels: int = MAX_PIXELS

    draws: ClassVar[bool] = False
    changes_size: ClassVar[bool] = False
    moves_pixels: ClassVar[bool] = False
    loads_image: ClassVar[bool] = True

    def __post_init__(self):
        if self.color_type not in COLOR_TYPES:
            raise DataError(
                f"LoadImageFromFile.color_type is {self.color_type!r}; it must be one "
                f"of {COLOR_TYPES}."
            )
        if self.backend_args not in (None, {"backend": "local"}):
            raise DataError(
                f"LoadImageFromFile.backend_args is {self.backend_args!r}; it must be "
                "None or {'backend': 'local'}: files are read from local paths only."
            )

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        if "img" in results:
            source = results.get("img_path", "an image given as an array")
            img = as_image(results["img"], self.color_type, source)
        else:
            img = read_image(results["img_path"], self.color_type, self.max_pixels)
        if "gt_seg_map" in results:
            results = dict(results)
            results["raw_seg_map"] = results.pop("gt_seg_map")
        return self._loaded(results, self._converted(img))

    def _converted(self, img: np.ndarray) -> np.ndarray:
        return img.astype(np.float32) if self.to_float32 else img

    def _loaded(self, results: dict, img: np.ndarray | Windows) -> dict:
        shape = img.shape[:2]
        return results | {"img": img, "ori_shape": shape, "img_shape": shape}

    def windows(self, path: str) -> Windows | None:
        """A file as `Windows`; None where it must be read whole (`open_image`)."""
        return open_image(path, self.color_type, self.max_pixels, self._converted)

    def without_pixels(self, results: dict) -> dict | None:
        """As a call, but `img` is `Windows`; None where there are none."""
        if "img" in results:
            return None
        windows = self.windows(results["img_path"])
        return None if windows is None else self._loaded(results, windows)


@dataclasses.dataclass(frozen=True)
class LoadAnnotations(Transform):
    """Puts the class ids of `seg_map_path` into `gt_seg_map`, (H, W).

    A label that the record brought as an array is mapped and checked alike; polygons and
    masks are drawn by the record's `painter`. The result
    is uint8, or uint16 for more than 255 classes. The record brings the facts about
    the data set: `classes`, `palette`, `reduce_zero_label`, `label_map`,
    `ignore_index`. In a test pipeline it stands behind Resize, and the label keeps
    the original size.

    Colours stand for positions in the palette, which are class ids already:
    `reduce_zero_label` does not move them, `label_map` does.

    Attributes:
        reduce_zero_label: None, or the same value as the data set's.
        max_pixels: the largest height * width that is decoded.
        mat_variable: the matrix in a `.mat` file, as in `formats.mat.read_mat`; '' takes
            the only one.

    Raises:
        DataError: on a label that cannot be read, is of another size than the image, or
            has ids or colours that are no classes.
    """

    reduce_zero_label: bool | None = None
    max_pixels: int = MAX_PIXELS
    mat_variable: str = ""

    draws: ClassVar[bool] = False
    changes_size: ClassVar[bool] = False
    moves_pixels: ClassVar[bool] = False
    makes_targets: ClassVar[tuple[str, ...]] = ("gt_seg_map",)

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        if "painter" in results:
            _check_order(results, results["seg_map_path"])
            painted = results["painter"].label_of(
                results, results["ori_shape"], self.max_pixels
            )
            return results | {"gt_seg_map": painted}
        raw, source = self._raw(results)
        _check_size(raw, results, source)
        return results | {"gt_seg_map": self._classes(raw, results, source)}

    def without_pixels(self, results: dict) -> dict:
        """As a call, but `gt_seg_map` is `Windows` where its file is a TIFF."""
        if "painter" in results or "seg_map_path" not in results:
            return self(results, np.random.default_rng(0))  # it draws nothing
        source = results["seg_map_path"]
        self._check_zero_label(results, source)

        def classes(raw):
            return self._classes(_without_one_channel(raw), results, source)

        windows = open_label(source, self.max_pixels, classes)
        if windows is None:
            return self(results, np.random.default_rng(0))
        _check_size(windows, results, source)
        return results | {"gt_seg_map": windows}

    def label_of(self, record: dict) -> np.ndarray:
        """The label of a record by itself, whose image need not be there."""
        if "painter" in record:
            return record["painter"].label_of(record, max_pixels=self.max_pixels)
        raw, source = self._raw(record)
        return self._classes(raw, record, source)

    def _classes(self, raw: np.ndarray, results: dict, source: str) -> np.ndarray:
        reduce_zero_label = results["reduce_zero_label"]
        raw = labels.without_equal_channels(raw, results["palette"])
        colored = raw.ndim == 3
        if colored:
            raw = labels.ids_of_colors(raw, results["palette"], source)
        classes, ignore_index = results["classes"], results["ignore_index"]
        label_map = results["label_map"]
        if label_map:  # keys are strings in a config that has been JSON
            label_map = {int(old): new for old, new in label_map.items()}
        raw = labels.narrow_ids(raw, source, label_map)
        labels.refuse_unmapped_binary_mask(raw, label_map, classes, source)
        table = labels.class_of_id(
            256 if raw.dtype == np.uint8 else 65536,
            reduce_zero_label and not colored,
            label_map,
            ignore_index,
        )
        labels.check_classes(raw, table, classes, ignore_index, source)
        return labels.map_ids(raw, table, len(classes), ignore_index)

    def _raw(self, results: dict) -> tuple[np.ndarray, str]:
        """The label as it is stored, and what errors call it."""
        source = results.get("seg_map_path", results.get("img_path", "a label array"))
        self._check_zero_label(results, source)
        if "raw_seg_map" in results:
            raw = results["raw_seg_map"]
        elif "seg_map_path" in results:
            raw = read_label(
                results["seg_map_path"], self.max_pixels, self.mat_variable
            )
        else:
            raise DataError(
                f"{source}: LoadAnnotations, but the sample has no label; give the data "
                "set a label folder, or take LoadAnnotations out of the pipeline."
            )
        return _without_one_channel(raw), source

    def _check_zero_label(self, results: dict, source: str):
        reduce_zero_label = results["reduce_zero_label"]
        if self.reduce_zero_label not in (None, reduce_zero_label):
            raise DataError(
                f"{source}: LoadAnnotations has reduce_zero_label="
                f"{self.reduce_zero_label}, its data set {reduce_zero_label}; set it at "
                "the data set, or the same at both."
            )


def _without_one_channel(raw: np.ndarray) -> np.ndarray:
    return raw[..., 0] if raw.ndim == 3 and raw.shape[2] == 1 else raw


def _check_order(results: dict, source: str):
    if "ori_shape" not in results:
        raise DataError(f"{source}: LoadAnnotations stands before LoadImageFromFile.")


def _check_size(label: np.ndarray | Windows, results: dict, source: str):
    _check_order(results, source)
    image = results["ori_shape"]
    if label.shape[:2] == image:
        return
    hint = ""
    if label.shape[:2] == image[::-1]:
        hint = (
            " The image may have an EXIF orientation, by which it was turned; then turn "
            "the label, or remove the tag."
        )
    raise DataError(
        f"{source}: the label is {label.shape[0]}x{label.shape[1]} (h x w), its image "
        f"{results.get('img_path', '')} {image[0]}x{image[1]}; they must be equal.{hint}"
    )

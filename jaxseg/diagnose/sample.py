"""Sample: one image and its label, read whole, and what is wrong with them."""

import dataclasses
import functools
import hashlib
from collections.abc import Mapping

import cv2
import numpy as np
from PIL import Image

from input_pipeline.decode import read_label
from input_pipeline.errors import DataError
from input_pipeline.sources import SegDataset
from input_pipeline.transforms import (
    ConcatCDInput,
    LoadAnnotations,
    LoadImageFromFile,
    labels,
)
from input_pipeline.transforms.transform import does

_MODES = {
    "1": "1-bit",
    "L": "grey 8-bit",
    "P": "palette",
    "I;16": "grey 16-bit",
    "I;16B": "grey 16-bit",
    "I": "grey 32-bit",
    "F": "grey float",
    "LA": "grey with alpha",
    "CMYK": "CMYK",
    "RGB": "RGB",
    "RGBA": "RGBA",
}


@dataclasses.dataclass(frozen=True)
class ImageFacts:
    """An image as the pipeline's loader gives it.

    Attributes:
        size: (height, width), turned by EXIF as the loader does.
        channels: how many.
        dtype: name of the pixels' type.
        stored: kind of the file, such as 'RGB' or 'palette'.
        mean, variance: (channels,) float64 over its pixels.
        digest: a digest of shape, type and pixels; None for an image of one colour,
            which equals others without being a copy.
    """

    size: tuple[int, int]
    channels: int
    dtype: str
    stored: str
    mean: np.ndarray
    variance: np.ndarray
    digest: bytes | None


@dataclasses.dataclass(frozen=True)
class LabelFacts:
    """Pixels of a label, counted.

    Attributes:
        stored: kind of the file.
        ids: {id in the file: pixels}; of colours, their places in the palette.
        classes: {class: pixels}, without what is ignored or no class.
        num_ignored: pixels of the ignore index.
        outside: {id in the file: pixels} of what is neither a class nor ignored.
        colors: {(r, g, b): pixels} of a colour-coded label, the 300 most frequent.
        painted: whether it was drawn from shapes, so that the ids are classes.
    """

    stored: str
    ids: dict[int, int]
    classes: dict[int, int]
    num_ignored: int
    outside: dict[int, int]
    colors: dict[tuple[int, int, int], int]
    painted: bool = False


@dataclasses.dataclass(frozen=True)
class SampleFacts:
    """What is known of one sample.

    Attributes:
        index: its place in the data set.
        image, label: None where there is none, or where it cannot be read.
        faults: (kind, sentence) of what is wrong with it.
    """

    index: int
    image: ImageFacts | None
    label: LabelFacts | None
    faults: tuple[tuple[str, str], ...]


class SampleReader:
    """Reads samples as training would, and goes on where training would stop.

    Args:
        dataset: where they are.
        named: whether the classes are known; otherwise every id is a class.
    """

    def __init__(self, dataset: SegDataset, named: bool = True):
        self._dataset = dataset
        self._named = named
        self._load = [
            step
            for step in dataset.pipeline
            if does(step, "loads_image") or isinstance(step, ConcatCDInput)
        ] or [LoadImageFromFile()]
        self._annotations = first_of(dataset, LoadAnnotations) or LoadAnnotations()

    def pixels(self, record: dict) -> tuple[np.ndarray | None, np.ndarray | None, list]:
        """Reads the files of a record of the data set.

        Returns:
            image: (H, W, C), or None if it cannot be read.
            raw: the label as it is stored, (H, W) or (H, W, 3 or 4), or as it is drawn
                from shapes; or None.
            faults: (kind, sentence) of what could not be read.
        """
        faults, image, raw = [], None, None
        try:
            loaded = record
            for step in self._load:
                loaded = step(loaded, None)
            image = loaded["img"]
        except DataError as error:
            faults.append(("unreadable image", str(error)))
        try:
            if "gt_seg_map" in record:
                raw = record["gt_seg_map"]
            elif "painter" in record:
                size = None if image is None else image.shape[:2]
                limit = self._annotations.max_pixels
                raw = record["painter"].label_of(record, size, limit)
            elif "seg_map_path" in record:
                raw = read_label(
                    record["seg_map_path"],
                    self._annotations.max_pixels,
                    self._annotations.mat_variable,
                )
        except DataError as error:
            faults.append(("unreadable label", str(error)))
        if raw is not None and raw.ndim == 3 and raw.shape[2] == 1:
            raw = raw[..., 0]
        if raw is not None and self._named:
            raw = labels.without_equal_channels(raw, record["palette"])
        return image, raw, faults

    def map_label(self, record: dict, raw: np.ndarray) -> "MappedLabel":
        """Says what the ids, or colours, of a raw label mean.

        Raises:
            DataError: ids below 0 or above 65535, or colours that are not in the
                palette.
        """
        source = record.get("seg_map_path", record.get("img_path", "a label array"))
        if "painter" in record:
            size, count = (np.iinfo(raw.dtype).max + 1, len(record["classes"]))
            ignore_index = record["ignore_index"]
            return MappedLabel(raw, np.arange(size), count, ignore_index, source)
        colored = raw.ndim == 3
        if colored:
            raw = labels.ids_of_colors(raw, record["palette"], source)
        raw = labels.narrow_ids(raw, source, with_int_keys(record["label_map"]))
        size = 256 if raw.dtype == np.uint8 else 65536
        if not self._named:
            return MappedLabel(raw, np.arange(size), size, -1, source)
        ignore_index, num_classes = record["ignore_index"], len(record["classes"])
        label_map = with_int_keys(record["label_map"]).items()
        reduce_zero_label = record["reduce_zero_label"] and not colored
        table = _table(size, reduce_zero_label, tuple(label_map), ignore_index)
        return MappedLabel(raw, table, num_classes, ignore_index, source)

    def __call__(self, index: int) -> SampleFacts:
        """Reads sample `index`; whatever happens to it becomes a fault."""
        try:
            return self._read(index)
        except Exception as error:  # noqa: BLE001 - of a source or a decoder
            text = f"sample {index} ({name_of(self._dataset, index)}): "
            text += f"{type(error).__name__}: {error}"
            return SampleFacts(index, None, None, (("unreadable sample", text),))

    def _read(self, index):
        record = self._dataset[index]
        image, raw, faults = self.pixels(record)
        image_facts = label_facts = None
        if image is not None:
            path = None if "img" in record else record["img_path"]
            image_facts = _image_facts(image, path)
            if not np.isfinite(image_facts.mean).all():
                text = f"{record.get('img_path')}: pixels that are NaN or infinite"
                faults.append(("unreadable image", text))
        if raw is not None:
            if image is not None and raw.shape[:2] != image.shape[:2]:
                faults.append(("other size", _other_size(record, raw, image)))
            mapped = None
            try:
                if self._named or raw.ndim == 2:
                    mapped = self.map_label(record, raw)
            except DataError as error:
                faults.append(("labels that are refused", str(error)))
            if mapped is not None and self._is_unmapped_mask(record, mapped):
                faults.append(("binary mask", mapped.source))
            label_facts = _label_facts(mapped, raw, record.get("seg_map_path"))
            if "painter" in record:
                label_facts = dataclasses.replace(
                    label_facts, stored="drawn from shapes", painted=True
                )
        return SampleFacts(index, image_facts, label_facts, tuple(faults))

    def _is_unmapped_mask(self, record, mapped):
        if not self._named or "painter" in record:
            return False
        try:
            labels.refuse_unmapped_binary_mask(
                mapped.ids,
                with_int_keys(record["label_map"]),
                record["classes"],
                mapped.source,
            )
        except DataError:
            return True
        return False


@dataclasses.dataclass(frozen=True)
class MappedLabel:
    """A label and what its ids mean.

    Attributes:
        ids: (H, W) uint8 or uint16.
        table: class of each id.
        num_classes: classes are below it.
        ignore_index: the class that counts nowhere; -1 for none.
        source: its file, for errors.
    """

    ids: np.ndarray
    table: np.ndarray
    num_classes: int
    ignore_index: int
    source: str

    def is_class(self) -> np.ndarray:
        """Which ids are of a class."""
        inside = (self.table >= 0) & (self.table < self.num_classes)
        return inside & (self.table != self.ignore_index)


def first_of(dataset: SegDataset, kind: type):
    """The first transform of a kind in the data set's pipeline, or None."""
    return next((t for t in dataset.pipeline if isinstance(t, kind)), None)


def with_int_keys(label_map: Mapping | None) -> dict[int, int]:
    """A label_map, whose keys are strings in a config that has been JSON."""
    return {int(old): new for old, new in (label_map or {}).items()}


def name_of(dataset: SegDataset, index: int) -> str:
    """The image file of a sample, or what stands for it."""
    files = dataset.files()
    return files[index][0] if files else f"sample {index}"


@functools.lru_cache(maxsize=64)
def _table(size, reduce_zero_label, label_map, ignore_index):
    return labels.class_of_id(size, reduce_zero_label, dict(label_map), ignore_index)


def _image_facts(image, path):
    if image.shape[2] <= 4:
        mean, deviation = cv2.meanStdDev(image)
        mean, variance = mean[:, 0], deviation[:, 0] ** 2
    else:  # more than cv2 takes
        mean = image.mean((0, 1), dtype=np.float64)
        variance = image.var((0, 1), dtype=np.float64)
    digest = None
    if variance.any():
        content = hashlib.blake2b(digest_size=16)
        content.update(f"{image.shape}{image.dtype}".encode())
        content.update(np.ascontiguousarray(image))
        digest = content.digest()
    return ImageFacts(
        size=image.shape[:2],
        channels=image.shape[2],
        dtype=image.dtype.name,
        stored=_stored(path),
        mean=mean,
        variance=variance,
        digest=digest,
    )


def _label_facts(mapped, raw, path):
    """Counts of a label; if nothing is known of its ids (None), its colours alone."""
    colors = _colors(raw) if raw.ndim == 3 else {}
    if mapped is None:
        return LabelFacts(_stored(path), {}, {}, 0, {}, colors)
    counts = labels.label_counts(mapped.ids)
    is_class = mapped.is_class()
    classes, outside, num_ignored = {}, {}, 0
    present = {int(i): int(counts[i]) for i in np.flatnonzero(counts)}
    for one, pixels in present.items():
        to = int(mapped.table[one])
        if is_class[one]:
            classes[to] = classes.get(to, 0) + pixels
        elif to == mapped.ignore_index:
            num_ignored += pixels
        else:
            outside[one] = pixels
    return LabelFacts(_stored(path), present, classes, num_ignored, outside, colors)


def _colors(raw, limit=300):
    if raw.dtype != np.uint8 or raw.shape[2] not in (3, 4):
        return {}
    red, green, blue = (raw[..., i].astype(np.int32) for i in range(3))
    coded, counts = np.unique((red << 16) | (green << 8) | blue, return_counts=True)
    most = np.argsort(-counts, kind="stable")[:limit]
    return {
        (int(c) >> 16, int(c) >> 8 & 255, int(c) & 255): int(n)
        for c, n in zip(coded[most], counts[most], strict=True)
    }


def _stored(path):
    """Kind of a file that has been read, from its header."""
    if path is None or path.endswith(".npy"):
        return "array"
    try:
        with Image.open(path) as header:
            return _MODES.get(header.mode, header.mode)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return "other"  # a TIFF that Pillow does not know, or one beyond its limit


def _other_size(record, raw, image):
    return (
        f"{record.get('img_path')} is {image.shape[0]}x{image.shape[1]} (height x "
        f"width), its label {record.get('seg_map_path', '')} "
        f"{raw.shape[0]}x{raw.shape[1]}"
    )

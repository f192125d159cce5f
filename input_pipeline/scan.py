"""Scan: what a data set's files say of themselves, read before training starts."""

import collections
import dataclasses
import functools
from collections.abc import Callable

from input_pipeline.decode import image_size
from input_pipeline.errors import DataError
from input_pipeline.sources import SegDataset, some_of
from input_pipeline.transforms import LoadImageFromFile
from input_pipeline.transforms.loaded_crop import LoadedCrop, join_loading_and_crop
from input_pipeline.watchdog import watched_map
from input_pipeline.windows import windows_size


@dataclasses.dataclass(frozen=True)
class ScanReport:
    """Result of `scan`.

    Attributes:
        num_images: image files read; 0 where the source holds pixels, not files.
        sizes: number of images of each (height, width), the most frequent first.
        size_of: (height, width) of each image file.
    """

    num_images: int
    sizes: dict[tuple[int, int], int]
    size_of: dict[str, tuple[int, int]]

    def __str__(self) -> str:
        if not self.num_images:
            return "no image files to check"
        frequent = list(self.sizes.items())[:3]
        shown = ", ".join(f"{n} of {h}x{w}" for (h, w), n in frequent)
        more = ", ..." if len(self.sizes) > len(frequent) else ""
        return f"{self.num_images} images of {len(self.sizes)} sizes" + (
            f" (height x width: {shown}{more})" if shown else ""
        )


def scan(dataset: SegDataset, num_threads: int = 16, max_bad: int = 0) -> ScanReport:
    """Reads the header of every image and label file, without decoding any.

    The number of distinct sizes tells how often evaluation at exact shapes compiles.

    Args:
        dataset: the data set; each file behind it is read once, however often repeated.
        num_threads: files read at a time; more than cores, as most of it is waiting.
        max_bad: how many samples may be unusable; they are not counted then.

    Returns:
        The sizes that were found.

    Raises:
        DataError: files that cannot be read, or labels whose size is not their image's;
            the first ten, and how many in all. Or one that gives no answer in
            `watchdog.STALL_SECONDS`.
    """
    pairs = list(dict.fromkeys(dataset.files()))
    read = functools.partial(
        _read_pair, by_windows=_by_windows(dataset), **reading(dataset)
    )
    found = watched_map(read, pairs, num_threads)
    faults = [fault for _, fault in found if fault]
    if len(faults) > max_bad:
        raise DataError(
            f"{len(faults)} of the {len(pairs)} samples of the data set cannot be "
            f"used:\n{some_of(faults)}"
        )
    sizes = collections.Counter(size for size, fault in found if not fault)
    size_of = {
        image: size
        for (image, _), (size, fault) in zip(pairs, found, strict=True)
        if not fault
    }
    return ScanReport(len(pairs) - len(faults), dict(sizes.most_common()), size_of)


def reading(dataset: SegDataset) -> dict:
    """How the pipeline of a data set (or of the first one in it) reads its images.

    Returns:
        `color_type` and `max_pixels` of its LoadImageFromFile; empty without one.
    """
    for transform in dataset.parts()[0].pipeline:
        if isinstance(transform, LoadImageFromFile):
            return {
                "color_type": transform.color_type,
                "max_pixels": transform.max_pixels,
            }
    return {}


def _by_windows(dataset: SegDataset) -> bool:
    """Whether its pipeline reads no more of a TIFF than a crop needs."""
    steps = join_loading_and_crop(dataset.parts()[0].pipeline)
    return bool(steps) and isinstance(steps[0], LoadedCrop)


def _read_pair(
    pair: tuple[str, str | None],
    touch: Callable[[str], None],
    by_windows: bool,
    **reading,
) -> tuple[tuple[int, int] | None, str]:
    """((height, width) of the image, what is wrong with the pair or '')."""
    image, label = pair
    touch(image)
    try:
        size = labelled = _size(image, by_windows, **reading)
        # Two formats whose size is known only when all is read.
        if label is not None and not label.lower().endswith((".mat", ".txt")):
            touch(label)
            # A label's pixels are never turned.
            stored = reading | {"color_type": "unchanged"}
            labelled = _size(label, by_windows, **stored)
    except DataError as error:
        return None, str(error)
    if labelled != size:
        return None, (
            f"{image} is {size[0]}x{size[1]} (height x width), but its label {label} "
            f"is {labelled[0]}x{labelled[1]}; they must be equal"
        )
    return size, ""


def _size(path, by_windows, **reading):
    """(height, width) of a file; of one that is read by windows it may be any."""
    size = windows_size(path) if by_windows else None
    return image_size(path, **reading) if size is None else size

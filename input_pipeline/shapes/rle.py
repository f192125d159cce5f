"""RLE: run lengths of masks, as COCO, Kaggle and Label Studio write them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.formats.limits import MAX_PIXELS, check_size
from input_pipeline.shapes.shape import Runs


def coco_runs(segmentation: Any, where: str) -> Runs:
    """COCO's {'size': [h, w], 'counts': ...}, counts being a list or its short text.

    Raises:
        DataError: counts that are damaged, or do not add up to the size.
    """
    size = tuple(segmentation["size"])
    if len(size) != 2 or not all(type(side) is int for side in size):
        raise DataError(f"{where}: the size of a run length code is {str(size)[:60]}.")
    check_size(where, size, "uint8", MAX_PIXELS)
    counts = segmentation["counts"]
    if isinstance(counts, str):
        counts = _counts_of_text(counts, where)
    runs = alternating_runs(counts, size[0] * size[1], where)
    return Runs(*runs, columns=True, size=size)


def alternating_runs(
    counts: Sequence[int], total: int, where: str
) -> tuple[np.ndarray, np.ndarray]:
    """Starts and lengths of the ones among runs of zeros and ones in turn.

    Args:
        counts: lengths of the runs; the first is of zeros.
        total: their sum, which is checked.
        where: for errors.
    """
    array = _integers(counts, where)
    if (array < 0).any() or (array > total).any() or array.sum() != total:
        raise DataError(
            f"{where}: a damaged run length code: its {len(array)} runs have "
            f"{sum(map(int, array))} pixels in all, and must have {total}, none of them "
            "negative."
        )
    ends = np.cumsum(array)
    return (ends - array)[1::2], array[1::2]


def kaggle_runs(text: str, columns: bool, where: str) -> Runs:
    """'start length start length ...', pixels counted from 1.

    Raises:
        DataError: an odd number of integers, or runs that overlap.
    """
    values = _integers(text.split(), where)
    if len(values) % 2:
        raise DataError(
            f"{where}: a damaged run length code: {len(values)} numbers, which are no "
            "pairs of start and length."
        )
    starts, lengths = values[::2] - 1, values[1::2]
    if (starts < 0).any() or (lengths < 1).any():
        raise DataError(
            f"{where}: a damaged run length code: starts and lengths are 1 or more."
        )
    order = np.argsort(starts)
    if (starts[order][1:] < (starts + lengths)[order][:-1]).any():
        raise DataError(f"{where}: a damaged run length code: its runs overlap.")
    return Runs(starts, lengths, columns)


def runs_to_mask(runs: Runs, size: tuple[int, int], where: str) -> np.ndarray:
    """(height, width) truth values; errors as of `runs_to_window`."""
    window, x, y = runs_to_window(runs, size, where)
    mask = np.zeros(size, bool)
    mask[y : y + window.shape[0], x : x + window.shape[1]] = window
    return mask


def runs_to_window(
    runs: Runs, size: tuple[int, int], where: str
) -> tuple[np.ndarray, int, int]:
    """The columns of an image in which the runs lie, or the rows.

    Returns:
        (h, w) truth values, and x and y of their first pixel.

    Raises:
        DataError: runs of another size, or beyond the end of the image.
    """
    if runs.size not in (None, size):
        raise DataError(
            f"{where}: a run length code of {runs.size[0]}x{runs.size[1]} (h x w) for an "
            f"image of {size[0]}x{size[1]}."
        )
    total = size[0] * size[1]
    last = int((runs.starts + runs.lengths).max(initial=0))
    if last > total:
        raise DataError(
            f"{where}: a run length code ends at pixel {last} of an image of {total} "
            f"({size[0]}x{size[1]}, h x w)."
        )
    side = size[0] if runs.columns else size[1]
    after = -(-last // side)
    first = min(int(runs.starts.min(initial=total)) // side, after)
    steps = np.zeros((after - first) * side + 1, np.int8)
    starts = runs.starts - first * side
    np.add.at(steps, starts, 1)
    np.add.at(steps, starts + runs.lengths, -1)
    lines = np.cumsum(steps[:-1], dtype=np.int8).astype(bool).reshape(-1, side)
    return (lines.T, first, 0) if runs.columns else (lines, 0, first)


def brush_runs(values: Any, size: tuple[int, int], where: str) -> Runs:
    """Label Studio's brush: bytes that hold RGBA values in runs, bit by bit.

    32 bits are the number of values, 5 the bits of a value less one, four times 4 the
    bits of a length less one. Each run then has a bit (one value repeated, or all of
    them), two bits (which of the four lengths), its length less one, and its values.

    Raises:
        DataError: another number of values than the image has.
    """
    check_size(where, size, "uint8", MAX_PIXELS)
    data = _integers(values, where)
    if not len(data) or (data < 0).any() or (data > 255).any():
        raise DataError(f"{where}: a brush's rle is a list of bytes.")
    bits = _Bits(data.astype(np.uint8), where)
    total, width = bits.read(32), bits.read(5) + 1
    if total != size[0] * size[1] * 4:
        raise DataError(
            f"{where}: a damaged brush: {total} values; {size[0]}x{size[1]} (h x w) "
            f"pixels of four need {size[0] * size[1] * 4}."
        )
    lengths = [bits.read(4) + 1 for _ in range(4)]
    found, at = np.empty(total, np.uint8), 0
    while at < total:
        repeated = bits.read(1)
        end = at + 1 + bits.read(lengths[bits.read(2)])
        if end > total or width > 8:
            raise DataError(f"{where}: a damaged brush: a run ends behind its image.")
        found[at:end] = (
            bits.read(width) if repeated else bits.read_many(width, end - at)
        )
        at = end
    edges = np.flatnonzero(np.diff(found[3::4] > 0, prepend=False, append=False))
    starts, ends = edges[::2], edges[1::2]
    return Runs(starts, ends - starts, columns=False, size=size)


class _Bits:
    """Reads numbers of some bits, the highest bit first."""

    def __init__(self, data, where):
        self._bits = np.unpackbits(data)
        self._at, self._where = 0, where

    def read(self, width):
        taken = self._take(width)
        return int(taken.dot(1 << np.arange(width)[::-1]))

    def read_many(self, width, count):
        taken = self._take(width * count).reshape(count, width)
        return taken.dot(1 << np.arange(width)[::-1])

    def _take(self, count):
        taken = self._bits[self._at : self._at + count]
        if len(taken) < count:
            raise DataError(f"{self._where}: a damaged brush: its bytes end too early.")
        self._at += count
        return taken.astype(np.int64)


def _counts_of_text(text, where):
    """COCO's text: 5 bits a character from '0' on, the sixth says that more follow.

    From the third run on it has the difference to the run before the last.
    """
    counts, at = [], 0
    data = text.encode("ascii", "replace")
    while at < len(data):
        value, shift, more = 0, 0, True
        while more:
            if at >= len(data) or not 48 <= data[at] < 112 or shift > 50:
                raise DataError(
                    f"{where}: a damaged run length code: {text[:40]!r} is not COCO's."
                )
            part = data[at] - 48
            value |= (part & 31) << shift
            more, shift, at = bool(part & 32), shift + 5, at + 1
            if not more and part & 16:
                value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
    return counts


def _integers(values, where):
    try:
        array = np.array(values, np.int64)
        if array.ndim != 1 or any(isinstance(v, (float, bool)) for v in values):
            raise ValueError("no whole numbers")
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(
            f"{where}: a damaged run length code: {str(values)[:60]} is no list of "
            "whole numbers."
        ) from error
    return array

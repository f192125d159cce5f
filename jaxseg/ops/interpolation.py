"""Interpolation: tables of PyTorch's separable resizes, made in NumPy at trace time."""

import dataclasses
import functools

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class AxisTable:
    """One axis of a resize: `out[i] = sum_k weight[i, k] * in[index[i, k]]`.

    Attributes:
        index: (out, taps) int32.
        weight: (out, taps) float64, already rounded as torch rounds them.
        in_size: length of the axis before.
    """

    index: np.ndarray
    weight: np.ndarray
    in_size: int

    @functools.cached_property
    def matrix(self) -> np.ndarray:
        """The same map as a dense (out, in) float64 matrix."""
        matrix = np.zeros((len(self.index), self.in_size))
        rows = np.arange(len(self.index))
        for tap in range(self.index.shape[1]):
            np.add.at(matrix, (rows, self.index[:, tap]), self.weight[:, tap])
        return matrix

    @functools.cached_property
    def transposed(self) -> "AxisTable":
        """The transposed map, padded with taps of weight zero."""
        matrix = self.matrix.T
        taps = max(1, int((matrix != 0).sum(axis=1).max()))
        # Stable sort: the taps that count first, in the order of the axis.
        index = np.argsort(matrix == 0, axis=1, kind="stable")[:, :taps]
        weight = np.take_along_axis(matrix, index, axis=1)
        return AxisTable(index.astype(np.int32), weight, matrix.shape[1])


def _source_positions(in_size, out_size, align_corners, scale, double):
    """Where each output sample lies on the input axis, as torch computes it."""
    real = np.float64 if double else np.float32
    i = np.arange(out_size)
    if align_corners:
        step = real(in_size - 1) / real(max(out_size - 1, 1))
        return (i.astype(real) * step).astype(np.float64)
    step = real(in_size) / real(out_size) if scale is None else real(1.0 / scale)
    # torch's kernel evaluates step * (i + 0.5) - 0.5 as one fused multiply-add:
    # doing it in float64 and rounding once gives its float32 bits.
    return real(np.float64(step) * (i + 0.5) - 0.5).astype(np.float64)


@functools.lru_cache(maxsize=512)
def linear_table(in_size, out_size, align_corners, scale, double) -> AxisTable:
    """Two taps an output sample (torch's `linear`, `bilinear`)."""
    source = _source_positions(in_size, out_size, align_corners, scale, double)
    source = np.maximum(source, 0.0)
    low = np.minimum(source.astype(np.int32), in_size - 1)
    high = np.minimum(low + 1, in_size - 1)
    fraction = source - low
    index = np.stack([low, high], axis=1)
    return AxisTable(index, np.stack([1.0 - fraction, fraction], axis=1), in_size)


@functools.lru_cache(maxsize=512)
def cubic_table(in_size, out_size, align_corners, scale, double) -> AxisTable:
    """Four taps an output sample, Keys' kernel with a = -0.75 as in torch."""
    source = _source_positions(in_size, out_size, align_corners, scale, double)
    low = np.floor(source)
    t = source - low
    a = -0.75

    def near(d):  # |d| <= 1
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d):  # 1 < |d| < 2
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    weight = np.stack([far(t + 1), near(t), near(1 - t), far(2 - t)], axis=1)
    index = low[:, None].astype(np.int32) + np.arange(-1, 3)
    index = np.clip(index, 0, in_size - 1).astype(np.int32)
    return AxisTable(index, weight, in_size)


@functools.lru_cache(maxsize=512)
def nearest_table(in_size, out_size, align_corners, scale, double) -> AxisTable:
    """One tap an output sample (torch's `nearest`, which floors)."""
    del align_corners, double  # torch has neither for nearest
    step = (
        np.float32(in_size) / np.float32(out_size)
        if scale is None
        else np.float32(1.0 / scale)
    )
    low = np.floor(np.arange(out_size, dtype=np.float32) * step).astype(np.int32)
    index = np.minimum(low, in_size - 1)[:, None]
    return AxisTable(index, np.ones(index.shape), in_size)


TABLES = {"bilinear": linear_table, "bicubic": cubic_table, "nearest": nearest_table}

"""Pooling with torch's windows."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.ops.bands.split_rows import CannotSplit, split, windows_of_band
from jaxseg.ops.conv import conv2d
from jaxseg.ops.cpu.pool import (
    MOST_CELLS,
    averages_in_one_product,
    max_of_slices,
    sum_of_slices,
)
from jaxseg.ops.cpu.windows import Windows
from jaxseg.ops.least_size import check_window
from jaxseg.ops.padded.valid_size import in_bucket, mask_windows
from jaxseg.ops.pair import Pair, as_pair
from jaxseg.ops.platform import bound, by_platform

_LARGEST_LOOPED = 3  # side in pixels


@functools.lru_cache(maxsize=128)
def _adaptive_matrix(in_size, out_size):
    """(out, in) averages over [floor(i H / S), ceil((i + 1) H / S))."""
    matrix = np.zeros((out_size, in_size))
    for i in range(out_size):
        start = i * in_size // out_size
        stop = -(-(i + 1) * in_size // out_size)
        matrix[i, start:stop] = 1.0 / (stop - start)
    return matrix


def adaptive_avg_pool(x: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Averages (N, H, W, C) to (N, *size, C) as torch's AdaptiveAvgPool2d.

    By matrix products: the slices of the obvious form are five times slower on a CPU.
    """
    if (sizes := in_bucket()) is not None:
        return _adaptive_avg_pool_in_bucket(sizes, x, size)
    if (bands := split(x)) is not None:
        return _adaptive_avg_pool_of_bands(bands, x, size)
    rows = jnp.asarray(_adaptive_matrix(x.shape[1], size[0]), x.dtype)
    columns = jnp.asarray(_adaptive_matrix(x.shape[2], size[1]), x.dtype)
    if size[0] * size[1] > MOST_CELLS:
        return _averages(x, rows, columns)
    return by_platform(averages_in_one_product, _averages, x, rows, columns)


def _averages(x, rows, columns):
    """(N, H, W, C), (h, H), (w, W) -> (N, h, w, C)."""
    y = jnp.einsum("ph,nhwc->npwc", rows, x)
    return jnp.einsum("qw,npwc->npqc", columns, y)


def _adaptive_avg_pool_of_bands(bands, x, size):
    """As `adaptive_avg_pool`, of all bands together; every device has all of it."""
    rows = _adaptive_matrix(x.shape[1] * bands.bands, size[0])
    rows = np.moveaxis(rows.reshape(size[0], bands.bands, -1), 1, 0)
    columns = jnp.asarray(_adaptive_matrix(x.shape[2], size[1]), x.dtype)
    y = jnp.einsum("ph,nhwc->npwc", bands.own(rows.astype(x.dtype)), x)
    return jax.lax.psum(jnp.einsum("qw,npwc->npqc", columns, y), bands.axis)


def _adaptive_avg_pool_in_bucket(sizes, x, size):
    """As `adaptive_avg_pool`, over the valid part of each sample."""

    def matrix(axis, out):
        padded = x.shape[1 + axis]
        lengths = sizes.lengths(axis, padded)

        def make(image):
            small = _adaptive_matrix(max(int(lengths[image]), 1), out)
            return np.pad(small, ((0, 0), (0, padded - small.shape[1]))).astype(x.dtype)

        found = sizes.array(("average", axis, padded, out, str(x.dtype)), axis, make)
        sizes.set_lengths(axis, out, np.full_like(lengths, out))
        return found

    x = sizes.fill(x)
    y = jnp.einsum("nph,nhwc->npwc", matrix(0, size[0]), x)
    return jnp.einsum("nqw,npwc->npqc", matrix(1, size[1]), y)


def window_mean(x: jax.Array, window: int, stride: Pair, padding: int) -> jax.Array:
    """torch's AvgPool2d on (N, H, W, C); zeros beyond the border count.

    A small window is a depthwise convolution. Larger ones are one matrix product an
    axis: windows of a pyramid overlap, so that a loop over them would read each pixel
    some hundred times.

    Args:
        x: (N, H, W, C).
        window: side of the window in pixels.
        stride: step of the window in pixels, one number or (vertical, horizontal).
        padding: zeros added on every side.

    Raises:
        ModelSizeError: if x is smaller than one window.
    """
    if window <= _LARGEST_LOOPED:
        taps = jnp.full((window, window, 1, x.shape[-1]), 1 / window**2, x.dtype)
        return conv2d(x, taps, stride, padding, groups=x.shape[-1])
    sides, strides, padding = map(as_pair, (window, stride, padding))
    x = mask_windows(x, sides, strides, padding)
    x, padding = windows_of_band(x, sides, strides, padding)
    check_window(x, sides, padding)
    rows, columns = (
        _window_matrix(length, window, step, pad).astype(x.dtype)
        for length, step, pad in zip(x.shape[1:3], strides, padding, strict=True)
    )
    y = jnp.einsum("ph,nhwc->npwc", rows, x)
    return jnp.einsum("qw,npwc->npqc", columns, y)


def _window_matrix(size, window, stride, padding):
    """(windows, size) averages over windows along one axis."""
    count = (size + 2 * padding - window) // stride + 1
    places = np.arange(size) + padding - stride * np.arange(count)[:, None]
    return ((places >= 0) & (places < window)) / window


def avg_pool(x: jax.Array, window: int) -> jax.Array:
    """Mean over `window` x `window` cells; a cell at the border counts what it has.

    torch's AvgPool2d(window, ceil_mode=True, count_include_pad=False).
    """
    if window == 1:
        return x
    if (sizes := in_bucket()) is not None:
        ones = sizes.mask(*x.shape[1:3])[..., None].astype(x.dtype)
        x = sizes.fill(x)
        for axis in range(2):
            sizes.change(axis, x.shape[1 + axis], lambda n: -(-n // window))
        # Windows in the padding of a bucket count nothing.
        return _cell_sums(x, window) / jnp.maximum(_cell_sums(ones, window), 1)
    if split(x) is not None and x.shape[1] % window:
        raise CannotSplit(
            f"average pooling of {window}x{window} cells of {x.shape[1]} rows a device"
        )
    # In NumPy: XLA would take seconds to fold the sums of so many ones.
    rows, columns = (
        np.minimum(window, size - np.arange(0, size, window)) for size in x.shape[1:3]
    )
    return _cell_sums(x, window) / np.outer(rows, columns)[..., None].astype(x.dtype)


def _cell_sums(x, window):
    """Sums over cells of `window` x `window` pixels, zeros beyond the border."""
    return by_platform(
        bound(sum_of_slices, window=window),
        bound(_sum_of_windows, window=window),
        x,
    )


def _sum_of_windows(x, window):
    shape = (1, window, window, 1)
    pads = [(0, 0), *((0, -size % window) for size in x.shape[1:3]), (0, 0)]
    zero = np.zeros((), x.dtype)
    return jax.lax.reduce_window(x, zero, jax.lax.add, shape, shape, pads)


def max_pool(x: jax.Array, window: int, stride: int, padding: int = 0) -> jax.Array:
    """torch's MaxPool2d on (N, H, W, C); of equal maxima the first gets the gradient.

    Args:
        x: (N, H, W, C).
        window: side of the window in pixels.
        stride: step of the window in pixels.
        padding: pixels of minus infinity added on every side.

    Raises:
        ModelSizeError: if x is smaller than one window.
    """
    sides, strides, padding = map(as_pair, (window, stride, padding))
    x = mask_windows(x, sides, strides, padding, fill=-np.inf)
    x, padding = windows_of_band(x, sides, strides, padding, fill=-np.inf)
    check_window(x, sides, padding)
    windows = Windows(sides, strides, padding)
    return by_platform(
        bound(max_of_slices, windows=windows),
        bound(_max_of_windows, windows=windows),
        x,
    )


def _max_of_windows(x, windows):
    return jax.lax.reduce_window(
        x,
        np.asarray(-np.inf, x.dtype),
        jax.lax.max,
        (1, *windows.sides, 1),
        (1, *windows.stride, 1),
        ((0, 0), *((pad, pad) for pad in windows.padding), (0, 0)),
    )

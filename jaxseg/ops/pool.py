"""Pooling with torch's windows."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.ops.bands.split_rows import CannotSplit, split, windows_of_band
from jaxseg.ops.conv import conv2d
from jaxseg.ops.cpu.pool import (
    MOST_CELLS,
    max_of_slices,
    sum_of_slices,
    sums_in_one_product,
)
from jaxseg.ops.cpu.windows import Windows
from jaxseg.ops.least_size import check_window
from jaxseg.ops.narrow import times, wide
from jaxseg.ops.padded.valid_size import in_bucket, mask_windows
from jaxseg.ops.pair import Pair, as_pair
from jaxseg.ops.platform import bound, by_platform

_LARGEST_LOOPED = 3  # side in pixels


@functools.lru_cache(maxsize=128)
def _adaptive_cells(in_size, out_size):
    """(out, in), 1 in [floor(i H / S), ceil((i + 1) H / S)), elsewhere 0.

    As factors these are exact in every type, which 1 / 3 is not; sums over a cell are
    divided by its count in float32.
    """
    cells = np.zeros((out_size, in_size))
    for i in range(out_size):
        cells[i, i * in_size // out_size : -(-(i + 1) * in_size // out_size)] = 1
    return cells


def adaptive_avg_pool(x: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Averages (N, H, W, C) to (N, *size, C) as torch's AdaptiveAvgPool2d.

    By matrix products: the slices of the obvious form are five times slower on a CPU.
    """
    if (sizes := in_bucket()) is not None:
        return _adaptive_avg_pool_in_bucket(sizes, x, size)
    if (bands := split(x)) is not None:
        return _adaptive_avg_pool_of_bands(bands, x, size)
    cells = [_adaptive_cells(*sides) for sides in zip(x.shape[1:3], size, strict=True)]
    factors = (jnp.asarray(cell, x.dtype) for cell in cells)
    if size[0] * size[1] > MOST_CELLS:
        sums = _sums(x, *factors)
    else:
        sums = by_platform(sums_in_one_product, _sums, x, *factors)
    return _divided(sums, *cells, x.dtype)


def _sums(x, rows, columns):
    """(N, H, W, C), (h, H), (w, W) -> (N, h, w, C), float32 at least."""
    y = _product("ph,nhwc->npwc", rows, x)
    return _product("qw,npwc->npqc", columns, y)


def _product(form, factors, x):
    dtype = jnp.promote_types(x.dtype, jnp.float32)
    factors = factors.astype(x.dtype)
    return jnp.einsum(form, factors, x, preferred_element_type=dtype)


def _divided(sums, rows, columns, dtype):
    """The means of sums (N, h, w, C) over cells (h, H) and (w, W)."""
    counts = np.outer(rows.sum(1), columns.sum(1))[..., None]
    return (sums / counts.astype(sums.dtype)).astype(dtype)


def _adaptive_avg_pool_of_bands(bands, x, size):
    """As `adaptive_avg_pool`, of all bands together; every device has all of it."""
    rows = _adaptive_cells(x.shape[1] * bands.bands, size[0])
    columns = _adaptive_cells(x.shape[2], size[1])
    of_bands = np.moveaxis(rows.reshape(size[0], bands.bands, -1), 1, 0)
    own = bands.own(of_bands.astype(x.dtype))
    sums = jax.lax.psum(_sums(x, own, jnp.asarray(columns)), bands.axis)
    return _divided(sums, rows, columns, x.dtype)


def _adaptive_avg_pool_in_bucket(sizes, x, size):
    """As `adaptive_avg_pool`, over the valid part of each sample."""

    def cells(axis, out):
        padded = x.shape[1 + axis]
        lengths = sizes.lengths(axis, padded)

        def make(image):
            small = _adaptive_cells(max(int(lengths[image]), 1), out)
            return np.pad(small, ((0, 0), (0, padded - small.shape[1]))).astype(x.dtype)

        found = sizes.array(("average", axis, padded, out, str(x.dtype)), axis, make)
        sizes.set_lengths(axis, out, np.full_like(lengths, out))
        return found

    x = sizes.fill(x)
    rows, columns = (cells(axis, out) for axis, out in enumerate(size))
    y = _product("nph,nhwc->npwc", rows, x)
    y = _product("nqw,npwc->npqc", columns, y)
    rows, columns = (wide(side).sum(2) for side in (rows, columns))
    counts = rows[:, :, None] * columns[:, None, :]
    return (y / counts[..., None]).astype(x.dtype)


def adaptive_max_pool(x: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Maxima of (N, H, W, C) to (N, *size, C) as torch's AdaptiveMaxPool2d.

    Of equal maxima the gradient is shared, which of floats that were computed there are
    none but by chance.
    """
    for axis, cells in ((1, size[0]), (2, size[1])):
        x = _maxima_of_cells(x, axis, cells)
    return x


def _maxima_of_cells(x, axis, count):
    """Cells have a pixel or two fewer than the longest: their last one is repeated."""
    length = x.shape[axis]
    start = np.arange(count) * length // count
    end = -(-np.arange(1, count + 1) * length // count)
    place = start[:, None] + np.arange((end - start).max())
    taken = jnp.take(x, np.minimum(place, end[:, None] - 1), axis=axis)
    return taken.max(axis + 1)


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
        taps = jnp.ones((window, window, 1, x.shape[-1]), x.dtype)
        sums = conv2d(x, taps, stride, padding, groups=x.shape[-1])
        return times(sums, 1 / window**2)
    sides, strides, padding = map(as_pair, (window, stride, padding))
    x = mask_windows(x, sides, strides, padding)
    x, padding = windows_of_band(x, sides, strides, padding)
    check_window(x, sides, padding)
    rows, columns = (
        jnp.asarray(_windows(length, window, step, pad), x.dtype)
        for length, step, pad in zip(x.shape[1:3], strides, padding, strict=True)
    )
    return (_sums(x, rows, columns) / window**2).astype(x.dtype)


def mean_around(x: jax.Array, window: int) -> jax.Array:
    """The mean of the window around each pixel, of the pixels that are image.

    torch's AvgPool2d(window, 1, window // 2, count_include_pad=False).

    Args:
        x: (N, H, W, C); computed in float32 at least.
        window: side of the window in pixels, odd.

    Returns:
        (N, H, W, C) in x's dtype.
    """
    precise, half = wide(x), window // 2
    taps = jnp.ones((window, window, 1, x.shape[-1]), precise.dtype)
    sums = conv2d(precise, taps, 1, half, groups=x.shape[-1])
    rows, columns = (_count_around(x, axis, half) for axis in range(2))
    counts = rows[:, :, None, None] * columns[:, None, :, None]
    return (sums / counts.astype(sums.dtype)).astype(x.dtype)


def _count_around(x, axis, half):
    """(N or 1, length): how many pixels of the image a window has along an axis."""
    length = x.shape[1 + axis]
    places, end = np.arange(length), length
    if (sizes := in_bucket()) is not None:
        end = sizes.length(axis, length)[:, None]
    elif axis == 0 and (bands := split(x)) is not None:
        places, end = bands.number() * length + places, bands.bands * length
    counts = jnp.minimum(places + half, end - 1) - jnp.maximum(places - half, 0) + 1
    # Beyond the image of a bucket there is none.
    return jnp.atleast_2d(jnp.maximum(counts, 1))


def _windows(size, window, stride, padding):
    """(windows, size) bool: what windows along one axis see."""
    count = (size + 2 * padding - window) // stride + 1
    places = np.arange(size) + padding - stride * np.arange(count)[:, None]
    return (places >= 0) & (places < window)


def avg_pool(x: jax.Array, window: int) -> jax.Array:
    """Mean over `window` x `window` cells; a cell at the border counts what it has.

    torch's AvgPool2d(window, ceil_mode=True, count_include_pad=False).
    """
    if window == 1:
        return x
    if (sizes := in_bucket()) is not None:
        full = wide(sizes.fill(x))
        ones = sizes.mask(*x.shape[1:3])[..., None].astype(full.dtype)
        for axis in range(2):
            sizes.change(axis, x.shape[1 + axis], lambda n: -(-n // window))
        # Windows in the padding of a bucket count nothing.
        counts = jnp.maximum(_cell_sums(ones, window), 1)
        return (_cell_sums(full, window) / counts).astype(x.dtype)
    if split(x) is not None and x.shape[1] % window:
        raise CannotSplit(
            f"average pooling of {window}x{window} cells of {x.shape[1]} rows a device"
        )
    # In NumPy: XLA would take seconds to fold the sums of so many ones.
    rows, columns = (
        np.minimum(window, size - np.arange(0, size, window)) for size in x.shape[1:3]
    )
    sums = _cell_sums(wide(x), window)
    counts = np.outer(rows, columns)[..., None].astype(sums.dtype)
    return (sums / counts).astype(x.dtype)


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

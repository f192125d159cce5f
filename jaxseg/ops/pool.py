"""Pooling with torch's windows."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.ops.bands.split_rows import CannotSplit, split, windows_of_band
from jaxseg.ops.padded.valid_size import in_bucket, mask_windows
from jaxseg.ops.windows import Windows

# Cells of an adaptive pooling that is one product: it computes with every pixel for
# every cell.
_MOST_CELLS = 36


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
    if size[0] * size[1] <= _MOST_CELLS and jax.default_backend() == "cpu":
        # One product an image, which reads it as it lies in memory: two to four times
        # faster than one an axis, or than all images in one.
        cells = rows[:, None, :, None] * columns[:, None, :]
        cells = cells.reshape(size[0] * size[1], -1)
        images = x.reshape(x.shape[0], -1, x.shape[3])
        return jnp.stack([cells @ image for image in images]).reshape(
            x.shape[0], *size, x.shape[3]
        )
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


def window_mean(x: jax.Array, window: int, stride: int, padding: int) -> jax.Array:
    """torch's AvgPool2d on (N, H, W, C); zeros beyond the border count.

    One matrix product an axis: windows of a pyramid are large and overlap, so that a
    loop over them would read each pixel some hundred times.

    Args:
        x: (N, H, W, C).
        window: side of the window in pixels.
        stride: step of the window in pixels.
        padding: zeros added on every side.
    """
    sides, padding = (window, window), (padding, padding)
    x = mask_windows(x, sides, stride, padding)
    x, padding = windows_of_band(x, sides, stride, padding)
    rows, columns = (
        _window_matrix(length, window, stride, pad).astype(x.dtype)
        for length, pad in zip(x.shape[1:3], padding, strict=True)
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
    if jax.default_backend() == "cpu":
        return _sum_of_slices(x, window)
    shape = (1, window, window, 1)
    pads = [(0, 0), *((0, -size % window) for size in x.shape[1:3]), (0, 0)]
    zero = np.zeros((), x.dtype)
    return jax.lax.reduce_window(x, zero, jax.lax.add, shape, shape, pads)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _sum_of_slices(x, window):
    """XLA's CPU backend takes up to 4 times as long, and 90 times for the gradient.

    Autodiff of this form would add the gradients of the slices, one to another.
    """
    pads = [(0, 0), *((0, -size % window) for size in x.shape[1:3]), (0, 0)]
    slices = Windows((window, window), window, (0, 0)).slices(jnp.pad(x, pads))
    wide = jnp.promote_types(x.dtype, jnp.float32)
    return sum(part.astype(wide) for part in slices).astype(x.dtype)


def _sum_forward(x, window):
    return _sum_of_slices(x, window), x.shape[1:3]


def _sum_backward(window, size, g):
    batch, height, width, channels = g.shape
    cells = (batch, height, window, width, window, channels)
    dx = jnp.broadcast_to(g[:, :, None, :, None], cells)
    dx = dx.reshape(batch, height * window, width * window, channels)
    return (dx[:, : size[0], : size[1]],)


_sum_of_slices.defvjp(_sum_forward, _sum_backward)


def max_pool(x: jax.Array, window: int, stride: int, padding: int = 0) -> jax.Array:
    """torch's MaxPool2d on (N, H, W, C); of equal maxima the first gets the gradient.

    Args:
        x: (N, H, W, C).
        window: side of the window in pixels.
        stride: step of the window in pixels.
        padding: pixels of minus infinity added on every side.
    """
    padding = (padding, padding)
    x = mask_windows(x, (window, window), stride, padding, fill=-np.inf)
    x, padding = windows_of_band(x, (window, window), stride, padding, fill=-np.inf)
    if jax.default_backend() == "cpu":
        windows = Windows((window, window), stride, padding)
        return _max_of_slices(x, windows)
    return jax.lax.reduce_window(
        x,
        np.asarray(-np.inf, x.dtype),
        jax.lax.max,
        (1, window, window, 1),
        (1, stride, stride, 1),
        ((0, 0), *((pad, pad) for pad in padding), (0, 0)),
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _max_of_slices(x, windows):
    """XLA's CPU backend takes up to 6 times as long, and 50 times for the gradient.

    Autodiff of this form would split the gradient between equal maxima.
    """
    return functools.reduce(jnp.maximum, windows.slices(windows.pad(x, -np.inf)))


def _max_forward(x, windows):
    """The maxima, and for the gradient the number of the tap that saw each."""
    slices = windows.slices(windows.pad(x, -np.inf))
    best = next(slices)
    count = windows.sides[0] * windows.sides[1]
    dtype = np.int8 if count <= np.iinfo(np.int8).max else np.int32
    where = jnp.zeros_like(best, dtype)
    for number, part in enumerate(slices, 1):
        # Like torch, the last NaN wins over all.
        better = (part > best) | jnp.isnan(part)
        best = jnp.where(better, part, best)
        where = jnp.where(better, np.asarray(number, dtype), where)
    return best, (where, x.shape[1:3])


def _max_backward(windows, residuals, g):
    where, size = residuals
    numbers = {tap: number for number, tap in enumerate(windows.taps())}

    def share(tap, where, g):
        return jnp.where(where == numbers[tap], g, 0)

    return (windows.spread((where, g), size, share),)


_max_of_slices.defvjp(_max_forward, _max_backward)

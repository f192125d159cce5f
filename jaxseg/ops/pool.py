"""Pooling with torch's windows."""

import functools

import jax
import jax.numpy as jnp
import numpy as np


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

    Two small matrix products; the slices of the obvious form are five times
    slower on a CPU.
    """
    rows = jnp.asarray(_adaptive_matrix(x.shape[1], size[0]), x.dtype)
    columns = jnp.asarray(_adaptive_matrix(x.shape[2], size[1]), x.dtype)
    y = jnp.einsum("ph,nhwc->npwc", rows, x)
    return jnp.einsum("qw,npwc->npqc", columns, y)


def avg_pool(x: jax.Array, window: int) -> jax.Array:
    """Mean over `window` x `window` cells; a cell at the border counts what it has.

    torch's AvgPool2d(window, ceil_mode=True, count_include_pad=False).
    """
    if window == 1:
        return x
    pads = [(0, 0), *((0, -size % window) for size in x.shape[1:3]), (0, 0)]
    shape = (1, window, window, 1)

    def total(values):
        return jax.lax.reduce_window(
            values, np.zeros((), values.dtype), jax.lax.add, shape, shape, pads
        )

    return total(x) / total(jnp.ones((1, *x.shape[1:3], 1), x.dtype))


def max_pool(x: jax.Array, window: int, stride: int, padding: int = 0) -> jax.Array:
    """torch's MaxPool2d on (N, H, W, C); of equal maxima the first gets the gradient.

    Args:
        x: (N, H, W, C).
        window: side of the window in pixels.
        stride: step of the window in pixels.
        padding: pixels of minus infinity added on every side.
    """
    return jax.lax.reduce_window(
        x,
        np.asarray(-np.inf, x.dtype),
        jax.lax.max,
        (1, window, window, 1),
        (1, stride, stride, 1),
        ((0, 0), (padding, padding), (padding, padding), (0, 0)),
    )

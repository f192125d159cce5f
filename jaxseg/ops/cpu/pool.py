"""Pooling as sums and products that a CPU computes fast."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.ops.cpu.windows import Windows

# Cells of an adaptive pooling that is one product: it computes with every pixel for
# every cell.
MOST_CELLS = 36


def sums_in_one_product(x: jax.Array, rows: jax.Array, columns: jax.Array) -> jax.Array:
    """Sums over cells of rows and columns, one product an image.

    It reads an image as it lies in memory: on a CPU two to four times faster than one
    product an axis, or than all images in one.

    Args:
        x: (N, H, W, C).
        rows, columns: factors of the pixels in each cell, (h, H) and (w, W).

    Returns:
        (N, h, w, C), float32 at least.
    """
    dtype = jnp.promote_types(x.dtype, jnp.float32)
    cells = rows[:, None, :, None] * columns[:, None, :]
    cells = cells.reshape(len(rows) * len(columns), -1)
    images = x.reshape(x.shape[0], -1, x.shape[3])
    sums = [jnp.matmul(cells, image, preferred_element_type=dtype) for image in images]
    return jnp.stack(sums).reshape(x.shape[0], len(rows), len(columns), x.shape[3])


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def sum_of_slices(x: jax.Array, window: int) -> jax.Array:
    """Sums of (N, H, W, C) over cells of `window` x `window`, zeros past the border.

    XLA's CPU backend takes up to 4 times as long, and 90 times for the gradient.

    Autodiff of this form would add the gradients of the slices, one to another.
    """
    pads = [(0, 0), *((0, -size % window) for size in x.shape[1:3]), (0, 0)]
    slices = Windows((window, window), (window, window), (0, 0)).slices(
        jnp.pad(x, pads)
    )
    return sum(slices)


def _sum_forward(x, window):
    return sum_of_slices(x, window), x.shape[1:3]


def _sum_backward(window, size, g):
    batch, height, width, channels = g.shape
    cells = (batch, height, window, width, window, channels)
    dx = jnp.broadcast_to(g[:, :, None, :, None], cells)
    dx = dx.reshape(batch, height * window, width * window, channels)
    return (dx[:, : size[0], : size[1]],)


sum_of_slices.defvjp(_sum_forward, _sum_backward)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def max_of_slices(x: jax.Array, windows: Windows) -> jax.Array:
    """The maxima of (N, H, W, C) in windows; of equal ones the first gets the gradient.

    XLA's CPU backend takes up to 6 times as long, and 50 times for the gradient.

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


max_of_slices.defvjp(_max_forward, _max_backward)

"""Sliding windows, mmseg's: where they lie, and how their logits become one map."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.ops.padded.sample_resize import interpolate_samples


def window_corners(
    size: tuple[int, int], crop: tuple[int, int], stride: tuple[int, int]
) -> np.ndarray:
    """Top left corners of mmseg's windows, (K, 2) int32, row by row.

    The last window of a row or column is moved back to end with the image.
    """
    axes = []
    for length, side, step in zip(size, crop, stride, strict=True):
        count = max(length - side + step - 1, 0) // step + 1
        starts = [min(i * step, max(length - side, 0)) for i in range(count)]
        axes.append(starts)
    return np.array([(top, left) for top in axes[0] for left in axes[1]], np.int32)


class Grid:
    """The windows of one image.

    Attributes:
        window: (height, width) of each; the image's own where that is smaller.
        corners: (K, 2) of their top left corners.
    """

    def __init__(
        self, size: tuple[int, int], crop: tuple[int, int], stride: tuple[int, int]
    ):
        """Lays windows over an image.

        Args:
            size: (height, width) of the image.
            crop: the size of the windows, where the image is not smaller.
            stride: from one window to the next, (rows, columns).
        """
        self._size = size
        self.window = tuple(map(min, crop, size))
        self.corners = window_corners(size, crop, stride)

    def cut(self, image: np.ndarray) -> list[np.ndarray]:
        """The windows of an image (H, W, C)."""
        height, width = self.window
        return [image[y : y + height, x : x + width] for y, x in self.corners]

    def covers(self, padded: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """How many windows cover each row and column; 1 past the image, float32."""
        found = []
        for axis, length in enumerate(padded):
            places = np.arange(self._size[axis])
            ends = [(s, s + self.window[axis]) for s in set(self.corners[:, axis])]
            counts = np.ones(length, np.float32)
            counts[: len(places)] = sum(
                (start <= places) & (places < stop) for start, stop in ends
            )
            found.append(counts)
        return tuple(found)


def stitch(
    scores: Callable[[jax.Array, Any], jax.Array],
    logits: jax.Array,
    per_image: Any,
    tables: tuple,
    corners: jax.Array,
    number: jax.Array,
    covers: tuple[jax.Array, jax.Array],
) -> jax.Array:
    """The mean of the windows' logits where they overlap, summed in mmseg's order.

    Args:
        scores: `Segmentor.scores`, applied to each window at its size.
        logits: maps (N, K, h, w, c), 0 past each image's windows.
        per_image: what `scores` takes of each window, arrays (N, K, ...) or ().
        tables: the tables of the resize to the size of a window, for rows and columns
            (`sample_resize.padded_table` with a leading axis over the images).
        corners: (N, K, 2) int32, of the windows in their image.
        number: (N,) of windows.
        covers: how many windows cover each row, (N, H), and each column, (N, W).

    Returns:
        (N, H, W, C).
    """

    def place(total, block, corner):
        at = (corner[0], corner[1], jnp.zeros_like(corner[0]))
        new = jax.lax.dynamic_slice(total, at, block.shape) + block
        return jax.lax.dynamic_update_slice(total, new, at)

    def score(k):
        block = interpolate_samples(logits[:, k], tables[1], 2)
        block = interpolate_samples(block, tables[0], 1)
        block = scores(block, jax.tree.map(lambda leaf: leaf[:, k], per_image))
        # Scores of the zeros past an image's windows need not be zero.
        return jnp.where((k < number)[:, None, None, None], block, 0)

    def body(state):
        k, total = state
        block = score(k)
        return k + 1, jax.vmap(place)(total, block, corners[:, k])

    rows, columns = covers
    block = jax.eval_shape(score, 0)
    shape = (logits.shape[0], rows.shape[1], columns.shape[1], block.shape[-1])
    last = jnp.max(number)
    state = (jnp.zeros_like(last), jnp.zeros(shape, block.dtype))
    _, total = jax.lax.while_loop(lambda state: state[0] < last, body, state)
    # The windows lie on a grid, so how many cover a pixel is a product.
    return total / (rows[:, :, None] * columns[:, None])[..., None]

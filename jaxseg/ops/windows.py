"""Windows: feature maps cut into squares, each of which is attended to by itself."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.ops.bands.split_rows import refuse_split
from jaxseg.ops.padded.valid_size import in_bucket


def to_windows(x: jax.Array, side: int) -> jax.Array:
    """Cuts maps into windows, row by row.

    Args:
        x: (N, H, W, C), whose sides are multiples of `side`.
        side: of a window in pixels.

    Returns:
        (N, windows, side * side, C).
    """
    n, height, width, channels = x.shape
    x = x.reshape(n, height // side, side, width // side, side, channels)
    return x.swapaxes(2, 3).reshape(n, -1, side * side, channels)


def from_windows(x: jax.Array, size: tuple[int, int], side: int) -> jax.Array:
    """The inverse of `to_windows`.

    Args:
        x: (N, windows, side * side, C).
        size: (height, width) of the map.
        side: of a window in pixels.

    Returns:
        (N, *size, C).
    """
    n, channels = len(x), x.shape[-1]
    height, width = size
    x = x.reshape(n, height // side, width // side, side, side, channels)
    return x.swapaxes(2, 3).reshape(n, height, width, channels)


def pad_to_windows(x: jax.Array, side: int) -> jax.Array:
    """Pads maps with zeros, right and below, to multiples of the window's side.

    In a bucket zeros take the place of what is not valid, too.

    Args:
        x: (N, H, W, C).
        side: of a window in pixels.

    Raises:
        CannotSplit: of a map that is split by rows.
    """
    refuse_split(x, f"windows of {side} rows")
    if (sizes := in_bucket()) is not None:
        x = sizes.fill(x)
    pads = [(0, -size % side) for size in x.shape[1:3]]
    return jnp.pad(x, ((0, 0), *pads, (0, 0)))


def shifted_window_mask(
    size: tuple[int, int], side: int, shift: int
) -> jax.Array | np.ndarray:
    """Which keys a query sees in the windows of a map that was rolled up and left.

    Those in the window that were neighbours before: what the roll has moved to the
    other end of the map is apart, and in a bucket what lies beyond the last window of
    the image itself.

    Args:
        size: (H, W) of the map, which `pad_to_windows` has not padded yet.
        side: of a window in pixels.
        shift: by how many pixels the padded map was rolled, 0 < shift < side.

    Returns:
        Bool, (1 or N, windows, side * side, side * side).
    """
    same_rows, same_columns = (
        _same_part(axis, size[axis], side, shift) for axis in range(2)
    )
    # (N, window rows, window columns, row, column of the query, and of the key)
    same = (
        same_rows[:, :, None, :, None, :, None]
        & same_columns[:, None, :, None, :, None, :]
    )
    return same.reshape(len(same), -1, side * side, side * side)


def _same_part(axis, length, side, shift):
    """Of each pair of lines of a window whether they are of one part of the map.

    (1 or N, windows, side, side) bool.
    """
    padded = length + -length % side
    line = (np.arange(padded) + shift) % padded  # where it was before the roll
    part = (line < shift)[None].astype(int)
    if (sizes := in_bucket()) is not None:
        own = sizes.length(axis, length)
        part = part + 2 * (line >= (own + -own % side)[:, None])
    part = part.reshape(len(part), -1, side)
    return part[..., :, None] == part[..., None, :]

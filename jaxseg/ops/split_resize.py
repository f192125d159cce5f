"""Resizing of a feature map whose rows are split over devices."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.ops.interpolation import TABLES
from jaxseg.ops.split_rows import CannotSplit, split

# How far the shape of a feature map may be from that of the image: the sides of one
# that is 32 times smaller are rounded.
_MOST_DISTORTION = 1.5


def band_table(
    index: np.ndarray, weight: np.ndarray, bands: int, rows: int
) -> tuple[int, int, np.ndarray, np.ndarray]:
    """The table of the rows of a resize, for each band.

    Args:
        index, weight: (out, taps), of the whole image; `bands` divides out.
        bands: how many there are.
        rows: of a band before the resize.

    Returns:
        How many rows a band needs from above and from below, and (bands, out / bands,
        taps) index and weight, counted from the first of those rows.
    """
    index = index.reshape(bands, -1, index.shape[-1])
    first = (np.arange(bands) * rows)[:, None, None]
    above = max(int((first - index).max()), 0)
    below = max(int((index - (first + rows - 1)).max()), 0)
    return above, below, index - first + above, weight.reshape(index.shape)


def resize_band(
    x: jax.Array,
    size: tuple[int, int],
    *,
    mode: str = "bilinear",
    align_corners: bool = False,
    scale: float | None = None,
) -> jax.Array:
    """`resize` to a band of rows, from one or from a map that every device has whole.

    Args:
        x: (N, H, W, C), split or not.
        size: (height, width) of this device's rows of the result.
        mode, align_corners: of the resize.
        scale: the factor that places the samples; None takes the ratio of the sizes.

    Returns:
        (N, *size, C) in x's dtype.

    Raises:
        CannotSplit: if the result does not have the shape of the image.
    """
    bands, is_split = split(), split(x) is not None
    height = x.shape[1] * bands.bands if is_split else x.shape[1]
    _check_shape(bands, size)
    double = x.dtype == jnp.float64
    how = align_corners, scale, double
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    y = _columns(y, TABLES[mode](x.shape[2], size[1], *how))
    table = TABLES[mode](height, size[0] * bands.bands, *how)
    if is_split:
        above, below, index, weight = band_table(
            table.index, table.weight, bands.bands, x.shape[1]
        )
        y = bands.with_neighbours(y, above, below)
    else:
        index, weight = (
            part.reshape(bands.bands, size[0], -1)
            for part in (table.index, table.weight)
        )
    if height == 1:  # the one value itself, and not a rounded sum of its parts
        y = jax.lax.pcast(
            jnp.broadcast_to(y, (y.shape[0], *size, y.shape[3])),
            bands.axis,
            to="varying",
        )
        return y.astype(x.dtype)
    index, weight = bands.own(index), bands.own(weight.astype(y.dtype))
    taken = (
        jnp.take(y, index[:, tap], 1, mode="clip") for tap in range(index.shape[1])
    )
    y = sum(part * weight[:, tap, None, None] for tap, part in enumerate(taken))
    return y.astype(x.dtype)


def _check_shape(bands, size):
    whole, expected = bands.size
    rows = size[0] * bands.bands
    distortion = (rows / size[1]) / (whole / expected)
    if not 1 / _MOST_DISTORTION < distortion < _MOST_DISTORTION:
        raise CannotSplit(
            f"a resize to {size[0]}x{size[1]}, which is not the shape of the image"
        )


def _columns(x, table):
    if table.in_size == 1:
        return jnp.broadcast_to(x, (*x.shape[:2], len(table.index), x.shape[3]))
    return sum(
        jnp.take(x, index, 2, mode="clip") * np.asarray(weight, x.dtype)[:, None]
        for index, weight in zip(table.index.T, table.weight.T, strict=True)
    )

"""Resize of a feature map whose rows are split over devices."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.ops.bands.split_rows import CannotSplit, SplitRows, split
from jaxseg.ops.interpolation import AxisTable
from jaxseg.ops.padded.sample_resize import interpolate_samples

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
        rows: the number of rows of a band before the resize.

    Returns:
        How many rows a band needs from above and from below, and (bands, out / bands,
        taps) index and weight, counted from the first of those rows.
    """
    index = index.reshape(bands, -1, index.shape[-1])
    first = (np.arange(bands) * rows)[:, None, None]
    above = max(int((first - index).max()), 0)
    below = max(int((index - (first + rows - 1)).max()), 0)
    return above, below, index - first + above, weight.reshape(index.shape)


def rows_of_band(
    bands: SplitRows,
    x: jax.Array,
    size: tuple[int, int],
    make: Callable[[int, int], AxisTable],
) -> jax.Array:
    """The rows of a resize, from a band or from a map that every device has whole.

    Args:
        bands: how the result is split.
        x: (N, H, W, C), split or not, whose columns are resized already.
        size: (height, width) of this device's rows of the result.
        make: from the lengths before and after to the table of an axis.

    Returns:
        (N, *size, C).

    Raises:
        CannotSplit: if the result does not have the shape of the image.
    """
    _check_shape(bands, size)
    if split(x) is not None:
        table = make(x.shape[1] * bands.bands, size[0] * bands.bands)
        above, below, index, weight = band_table(
            table.index, table.weight, bands.bands, x.shape[1]
        )
        x = bands.with_neighbours(x, above, below)
    elif x.shape[1] == 1:  # the one value itself, and not a rounded sum of its parts
        x = jnp.broadcast_to(x, (x.shape[0], *size, x.shape[3]))
        return jax.lax.pcast(x, bands.axis, to="varying")
    else:
        table = make(x.shape[1], size[0] * bands.bands)
        index, weight = (
            part.reshape(bands.bands, size[0], -1)
            for part in (table.index, table.weight)
        )
    own = (bands.own(index), bands.own(weight.astype(x.dtype)))
    each = tuple(jnp.broadcast_to(part, (x.shape[0], *part.shape)) for part in own)
    return interpolate_samples(x, each, 1)


def _check_shape(bands, size):
    whole, expected = bands.size
    rows = size[0] * bands.bands
    distortion = (rows / size[1]) / (whole / expected)
    if not 1 / _MOST_DISTORTION < distortion < _MOST_DISTORTION:
        raise CannotSplit(
            f"a resize to {size[0]}x{size[1]}, which is not the shape of the image"
        )

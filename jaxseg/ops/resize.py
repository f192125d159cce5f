"""Resizing as torch.nn.functional.interpolate does it, without antialiasing."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.ops.bands.split_resize import rows_of_band
from jaxseg.ops.bands.split_rows import CannotSplit, split
from jaxseg.ops.interpolation import TABLES, AxisTable
from jaxseg.ops.least_size import check_not_empty
from jaxseg.ops.narrow import wide
from jaxseg.ops.padded.sample_resize import resize_in_bucket
from jaxseg.ops.padded.valid_size import in_bucket
from jaxseg.ops.platform import bound, on_tpu
from jaxseg.ops.precision import custom_vjp

# Above this many taps the transposed map is one matrix product: the unrolled sum
# would make a long program, and so many taps mean that the input axis is short.
_MOST_TAPS = 16


def resize(
    x: jax.Array,
    size: tuple[int, int] | None = None,
    *,
    scale_factor: float | None = None,
    mode: str = "bilinear",
    align_corners: bool = False,
) -> jax.Array:
    """Resizes the two middle axes.

    Args:
        x: (N, H, W, C), floating point; computed in float32 at least.
        size: (height, width) of the result, or None with `scale_factor`.
        scale_factor: the result is `floor(H * scale_factor)` high, and the factor
            itself, not the ratio of the sizes, places the samples.
        mode: `bilinear`, `bicubic` or `nearest`.
        align_corners: whether the corner samples of both grids coincide.

    Returns:
        (N, *size, C) in x's dtype.

    Raises:
        ValueError: for an unknown mode, or if not exactly one of size and
            scale_factor is given.
        ModelSizeError: if nothing is left of the map.
    """
    if mode not in TABLES:
        raise ValueError(f"resize mode is {mode!r}, allowed: {', '.join(TABLES)}")
    if (size is None) == (scale_factor is None):
        raise ValueError("resize takes one of size and scale_factor")
    height, width = x.shape[1:3]
    if size is None:
        size = _scaled(x, scale_factor)
    check_not_empty((height, width), size)
    same = tuple(size) == (height, width) and (split() is None or split(x) is not None)
    if same and scale_factor in (None, 1):
        return x
    if (sizes := in_bucket()) is not None:
        return resize_in_bucket(
            sizes, x, size, mode=mode, align_corners=align_corners, scale=scale_factor
        )
    double = x.dtype == jnp.float64
    make = functools.partial(
        TABLES[mode], align_corners=align_corners, scale=scale_factor, double=double
    )
    y = wide(x)
    # Width first, as torch does.
    y = interpolate_axis(y, make(width, size[1]), 2)
    if (bands := split()) is not None:
        y = rows_of_band(bands, y, size, make)
    else:
        y = interpolate_axis(y, make(height, size[0]), 1)
    return y.astype(x.dtype)


def upsample(
    x: jax.Array, factor: float, *, mode: str = "nearest", align_corners: bool = False
) -> jax.Array:
    """mmseg's Upsample: to `floor(H * factor)`, which places the samples.

    Args:
        x: (N, H, W, C).
        factor: the factor of either axis.
        mode, align_corners: as of `resize`.

    Returns:
        (N, H', W', C) in x's dtype.
    """
    return resize(x, _scaled(x, factor), mode=mode, align_corners=align_corners)


def _scaled(x, factor):
    """The size of a map (N, H, W, C) after a resize by a factor."""
    shape = x.shape
    if (bands := split(x)) is not None:
        whole = shape[1] * bands.bands
        if int(whole * factor) != int(shape[1] * factor) * bands.bands:
            raise CannotSplit(
                f"a resize of {whole} rows by {factor}, which do not divide over "
                f"{bands.bands} devices"
            )
    if (sizes := in_bucket()) is not None:
        for axis in range(2):
            sizes.change(axis, shape[1 + axis], lambda n: np.floor(n * factor))
    return int(shape[1] * factor), int(shape[2] * factor)


@functools.partial(custom_vjp, nondiff_argnums=(1, 2))
def interpolate_axis(x: jax.Array, table: AxisTable, axis: int) -> jax.Array:
    """Applies a table along one axis of an array.

    Forward and backward gather with static indices, on a TPU they multiply by the
    table's matrix. The gradient that autodiff would give of a gather scatters instead,
    which is 2 to 50 times slower on a CPU and not deterministic on a GPU.
    """
    if table.in_size == 1:
        shape = list(x.shape)
        shape[axis] = len(table.index)
        return jnp.broadcast_to(x, shape)
    return _apply(x, table, axis)


def _apply(x, table, axis):
    forms = (bound(form, table=table, axis=axis) for form in (_product, _gather_taps))
    return on_tpu(*forms, x)


def _product(x, table, axis):
    """The table as a matrix: a TPU's gather writes what every tap took, in float32."""
    matrix = jnp.asarray(table.matrix, x.dtype)
    # One product for each place on the axes before: so no layout changes.
    before = tuple(range(axis))
    matrix = jnp.broadcast_to(matrix, (*x.shape[:axis], *matrix.shape))
    dimensions = ((axis + 1,), (axis,)), (before, before)
    # In fewer passes the weights would be rounded to 7 bits.
    highest = jax.lax.Precision.HIGHEST
    return jax.lax.dot_general(matrix, x, dimensions, precision=highest)


def _gather_taps(x, table, axis):
    if table.index.shape[1] > _MOST_TAPS:
        matrix = jnp.asarray(table.matrix, x.dtype)
        return jnp.moveaxis(jnp.tensordot(matrix, x, (1, axis)), 0, axis)
    shape = [1] * x.ndim
    shape[axis] = -1
    result = 0
    for index, weight in zip(table.index.T, table.weight.T, strict=True):
        taken = jnp.take(x, index, axis, mode="clip")
        result += taken * np.asarray(weight, x.dtype).reshape(shape)
    return result


def _forward(x, table, axis):
    return interpolate_axis(x, table, axis), None


def _backward(table, axis, _, g):
    return (_apply(g, table.transposed, axis),)


interpolate_axis.defvjp(_forward, _backward)

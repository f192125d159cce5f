"""Resizes whose lengths differ from sample to sample, in arrays of one padded shape."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.ops.interpolation import TABLES
from jaxseg.ops.narrow import wide
from jaxseg.ops.padded.valid_size import ValidSizes


def padded_table(
    in_size: int,
    out_size: int,
    padded: int,
    *,
    mode: str = "bilinear",
    align_corners: bool = False,
    scale: float | None = None,
    double: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """The table of one axis of a resize, for an output that is padded.

    Args:
        in_size, out_size: lengths before and after.
        padded: length of the result, where everything past out_size is 0.
        mode, align_corners: the mode and `align_corners` of the resize.
        scale: the factor that places the samples; None takes the ratio of the sizes.
        double: whether the weights are computed and kept in float64.

    Returns:
        The index and the weight of each tap, (padded, taps) int32 and floating.
    """
    table = TABLES[mode](in_size, out_size, align_corners, scale, double)
    index = np.zeros((padded, table.index.shape[1]), np.int32)
    weight = np.zeros(index.shape, np.float64 if double else np.float32)
    if in_size == 1:  # the one value itself, and not a rounded sum of its parts
        weight[:out_size, 0] = 1
    else:
        index[:out_size], weight[:out_size] = table.index, table.weight
    return index, weight


def interpolate_samples(
    x: jax.Array, table: tuple[jax.Array, jax.Array], axis: int
) -> jax.Array:
    """Applies to each sample a table of its own along one axis.

    Args:
        x: (N, H, W, C).
        table: from `padded_table`, with a leading axis over the samples.
        axis: 1 or 2.
    """

    def interpolate(x, index, weight):
        result = 0
        shape = (-1, 1, 1) if axis == 1 else (-1, 1)
        for tap in range(index.shape[1]):
            taken = jnp.take(x, index[:, tap], axis - 1, mode="clip")
            result += taken * weight[:, tap].reshape(shape).astype(x.dtype)
        return result

    if x.shape[0] == 1:  # a plain gather is faster than one with a batch
        return interpolate(x[0], table[0][0], table[1][0])[None]
    return jax.vmap(interpolate)(x, *table)


def resize_in_bucket(
    sizes: ValidSizes,
    x: jax.Array,
    size: tuple[int, int],
    *,
    mode: str = "bilinear",
    align_corners: bool = False,
    scale: float | None = None,
    is_map: bool = True,
) -> jax.Array:
    """`resize` where the sizes of the images, before and after, are valid ones.

    Args:
        sizes: the sizes of the bucket.
        x: (N, H, W, C).
        size: padded (height, width) of the result.
        mode, align_corners: the mode and `align_corners` of the resize.
        scale: the factor that places the samples; None takes the ratio of the sizes.
        is_map: False if all of x is valid, whatever the image, such as a parameter.

    Returns:
        (N, *size, C) in x's dtype.
    """
    double = x.dtype == jnp.float64
    y = wide(x)
    for axis in (1, 0):  # width first, as torch does
        before, after = x.shape[1 + axis], size[axis]
        target = sizes.lengths(axis, after)
        source = sizes.lengths(axis, before) if is_map else np.full_like(target, before)

        def make(image, source=source, target=target, after=after):
            return padded_table(
                int(source[image]),
                int(target[image]),
                after,
                mode=mode,
                align_corners=align_corners,
                scale=scale,
                double=double,
            )

        key = ("resize", axis, before, after, mode, align_corners, scale, is_map)
        y = interpolate_samples(y, sizes.array((*key, double), axis, make), 1 + axis)
    return y.astype(x.dtype)

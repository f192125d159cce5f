"""PSA mask: what each pixel says of places around it, as pairs of places of the map."""

import jax
import jax.numpy as jnp

from jaxseg.ops.skew import skewed


def centred_window(kernel: jax.Array, size: tuple[int, int]) -> jax.Array:
    """The part of a mask that maps of a size can reach.

    Args:
        kernel: (..., h, w), over the places of a mask whose middle is a pixel itself.
        size: (H, W) of the map.

    Returns:
        (..., 2 H - 1, 2 W - 1), 0 where the mask does not reach.
    """
    for axis, side in zip((-2, -1), size, strict=True):
        places = kernel.shape[axis]
        first = (places - 1) // 2 - (side - 1)
        last = first + 2 * side - 1
        pads = [(0, 0)] * kernel.ndim
        pads[axis] = (max(-first, 0), max(last - places, 0))
        start = max(first, 0)
        kernel = jnp.pad(kernel, pads)
        kernel = jax.lax.slice_in_dim(
            kernel, start, start + 2 * side - 1, axis=kernel.ndim + axis
        )
    return kernel


def pairs_of_places(x: jax.Array) -> jax.Array:
    """From places around a pixel to places of the map, mmcv's PSAMask.

    Args:
        x: (N, H, 2 H - 1, W, 2 W - 1); of pixel (h, w) what is said of the place
            i - h + H - 1 rows and j - w + W - 1 columns from the window's corner.

    Returns:
        (N, H, H, W, W), at [n, h, i, w, j] what pixel (h, w) says of pixel (i, j).
    """
    n, height, _, width, columns = x.shape
    x = skewed(x.reshape(n, height, -1, width * columns))
    x = skewed(x.reshape(n * height * height, width, columns, 1))
    return x.reshape(n, height, height, width, width)

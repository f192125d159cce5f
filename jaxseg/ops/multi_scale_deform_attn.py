"""Multi-scale deformable attention: every query looks at a few places of several maps.

Deformable DETR, https://arxiv.org/abs/2010.04159
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.ops.narrow import wide


def multi_scale_deform_attn(
    value: jax.Array,
    sizes: Sequence[tuple[int, int]],
    places: jax.Array,
    weights: jax.Array,
) -> jax.Array:
    """Weighted sums of bilinear values, as mmcv's multi_scale_deformable_attn_pytorch.

    Beyond the border a map is 0. The places of a query are summed one after the other,
    so no array is larger than what one of them sees, (N, L, heads, d), forward and
    backward: mmcv's function keeps what all of them see.

    Args:
        value: (N, M, heads, d), the pixels of all maps, row by row, map after map.
        sizes: (height, width) of each map.
        places: (N, L, heads, maps, points, 2), (x, y) as fractions of a map's width and
            height.
        weights: (N, L, heads, maps, points).

    Returns:
        (N, L, heads, d) in value's dtype, summed in float32 at least.
    """
    points = places.shape[4]
    first = np.cumsum([0, *(height * width for height, width in sizes[:-1])])
    maps = np.repeat(
        [(*size, at) for size, at in zip(sizes, first, strict=True)], points, 0
    )
    # Its gradient is the sum over all that looked at a pixel.
    full = jnp.moveaxis(wide(value), 2, 1)  # (N, heads, M, d)
    places, weights = (
        jnp.moveaxis(wide(x), (2, 3, 4), (3, 0, 1)) for x in (places, weights)
    )
    places = places.reshape(-1, *places.shape[2:])  # (maps * points, N, heads, L, 2)
    weights = weights.reshape(-1, *weights.shape[2:])
    see = jax.checkpoint(_seen, prevent_cse=False)  # the loop keeps both passes apart

    def add_point(total, point):
        return total + see(full, *point), None

    total = jnp.zeros_like(full, shape=(*places.shape[1:4], full.shape[3]))
    points = (jnp.asarray(maps, jnp.int32), places, weights)
    total, _ = jax.lax.scan(add_point, total, points)
    return jnp.moveaxis(total, 1, 2).astype(value.dtype)


def _seen(value, size, places, weights):
    """What every query sees at one place, times its weight: (N, heads, L, d).

    value: (N, heads, M, d); size: height, width and first pixel of the map; places:
    (N, heads, L, 2); weights: (N, heads, L).
    """
    height, width, first = size
    places = places * jnp.stack([width, height]).astype(places.dtype) - 0.5
    low = jnp.floor(places)
    share = places - low
    total = 0
    for down in (0, 1):
        for right in (0, 1):
            corner = low + jnp.array([right, down], low.dtype)
            of_axis = jnp.where(jnp.array([right, down]), share, 1 - share)
            limit = jnp.stack([width, height]).astype(low.dtype)
            inside = ((corner >= 0) & (corner < limit)).all(-1)
            factor = jnp.where(inside, weights * of_axis.prod(-1), 0)
            column, row = jnp.moveaxis(corner, -1, 0)
            column = jnp.clip(column, 0, width - 1).astype(jnp.int32)
            row = jnp.clip(row, 0, height - 1).astype(jnp.int32)
            pixels = _pixels(value, first + row * width + column)
            total = total + factor[..., None] * pixels
    return total


def _pixels(value, index):
    """(N, heads, M, d), (N, heads, L) -> (N, heads, L, d)."""
    return jnp.take_along_axis(value, index[..., None], axis=2, mode="clip")

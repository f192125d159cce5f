"""Point sampling: values of a map at points between its pixels."""

import jax
import jax.numpy as jnp

from jaxseg.ops.narrow import wide


def point_sample(
    x: jax.Array, points: jax.Array, *, align_corners: bool = False
) -> jax.Array:
    """Bilinear values at points, as mmcv's point_sample; outside the map it is 0.

    Args:
        x: (N, H, W, C), floating point.
        points: (N, P, 2), (x, y) as fractions of the width and the height.
        align_corners: whether 0 and 1 are the centres of the outer pixels or their
            outer borders.

    Returns:
        (N, P, C) in x's dtype.
    """
    full, total = wide(x), 0
    for weight, places in _corners(x.shape[1:3], points, align_corners):
        weight = weight[..., None].astype(full.dtype)
        total = total + weight * _take(full, places)
    return total.astype(x.dtype)


def share_of_class(
    label: jax.Array, points: jax.Array, classes: jax.Array
) -> jax.Array:
    """`point_sample` of the maps that are 1 where a label is a class, and 0 elsewhere.

    Args:
        label: (N, H, W) integers.
        points: as of `point_sample`.
        classes: (N, P, C), or what is broadcast to it.

    Returns:
        (N, P, C) in the points' dtype.
    """
    total = 0
    for weight, places in _corners(label.shape[1:3], points):
        found = _take(label[..., None], places)
        total = total + jnp.where(found == classes, weight[..., None], 0)
    return total


def nearest_sample(
    x: jax.Array, points: jax.Array, *, align_corners: bool = False
) -> jax.Array:
    """Values (N, P) of the pixels of a map (N, H, W) that lie nearest to points.

    The arguments are those of `point_sample`; the points lie in the map.
    """
    places = _pixels(x.shape[1:3], points, align_corners)
    return _take(x[..., None], jnp.round(places).astype(jnp.int32))[..., 0]


def _pixels(size, points, align_corners):
    """Points in pixels, (N, P, 2), where whole numbers are centres."""
    size = jnp.array([size[1], size[0]], points.dtype)
    return points * (size - 1) if align_corners else points * size - 0.5


def _corners(size, points, align_corners=False):
    """Of the four pixels around points: weights (N, P) and places (N, P, 2)."""
    places = _pixels(size, points, align_corners)
    low = jnp.floor(places)
    share = places - low
    for down in (0, 1):
        for right in (0, 1):
            corner = low + jnp.array([right, down], low.dtype)
            weight = jnp.where(jnp.array([right, down]), share, 1 - share).prod(-1)
            limit = jnp.array([size[1], size[0]])
            inside = ((corner >= 0) & (corner < limit)).all(-1)
            yield jnp.where(inside, weight, 0), corner.astype(jnp.int32)


def _take(x, places):
    """(N, P, C) of (N, H, W, C) at places (N, P, 2), (column, row)."""
    _, height, width, channels = x.shape
    column = jnp.clip(places[..., 0], 0, width - 1)
    row = jnp.clip(places[..., 1], 0, height - 1)
    flat = x.reshape(x.shape[0], height * width, channels)
    index = (row * width + column)[..., None]
    return jnp.take_along_axis(flat, index, axis=1, mode="clip")

"""Euclidean distance transform: how far each pixel is from the background."""

import jax
import jax.numpy as jnp


def squared_distance(foreground: jax.Array) -> jax.Array:
    """Squared distances to the nearest background pixel, exactly.

    Where a mask has no background, scipy's `distance_transform_edt` measures from one
    pixel above the first one, and so does this.

    Args:
        foreground: (N, H, W) bool.

    Returns:
        (N, H, W) float32, 0 in the background. Distances are whole numbers of pixels
        squared, exact up to 2**24.
    """
    _, height, width = foreground.shape
    row = jnp.arange(height, dtype=jnp.float32)[:, None]
    column = jnp.arange(width, dtype=jnp.float32)
    # Along the columns: the nearest row of the background above and below.
    above = jax.lax.cummax(jnp.where(foreground, -jnp.inf, row), axis=1)
    below = jax.lax.cummin(jnp.where(foreground, jnp.inf, row), axis=1, reverse=True)
    vertical = jnp.square(jnp.minimum(row - above, below - row))
    nothing = foreground.all((1, 2), keepdims=True)
    return jnp.where(
        nothing, jnp.square(row + 1) + jnp.square(column), _along_rows(vertical)
    )


def _along_rows(vertical):
    """Least of vertical[j] + (i - j)**2 over all j of a row, for every i."""
    width = vertical.shape[2]

    def closer(state):
        # What lies `shift` columns to the left and to the right.
        shift, least = state
        padded = jnp.pad(
            vertical, ((0, 0), (0, 0), (width, width)), constant_values=jnp.inf
        )
        sides = [
            jax.lax.dynamic_slice_in_dim(padded, start, width, axis=2)
            for start in (width - shift, width + shift)
        ]
        nearest = jnp.minimum(*sides) + jnp.square(shift.astype(jnp.float32))
        return shift + 1, jnp.minimum(least, nearest)

    def may_change(state):
        # Farther columns cannot be nearer than what every pixel has.
        shift, least = state
        reach = jnp.square(shift.astype(jnp.float32))
        return (shift < width) & (reach < least.max())

    start = (jnp.ones((), jnp.int32), vertical)
    return jax.lax.while_loop(may_change, closer, start)[1]

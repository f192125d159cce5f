"""Skew: rows that move against each other, so that distances become places."""

import jax
import jax.numpy as jnp


def skewed(x: jax.Array) -> jax.Array:
    """Reads of each row's distances those to the places of a line.

    Rows that are one longer and are read as if they were not move by themselves, so
    there is nothing to look up, and the gradient has nothing to scatter.

    Args:
        x: (A, L, 2 L - 1, B); of place l what is said of the distances 1 - L to L - 1.

    Returns:
        (A, L, L, B), at [a, l, i] what place l says of place i, x[a, l, i - l + L - 1].
    """
    a, length, places, b = x.shape
    x = jnp.pad(x, ((0, 0), (0, 0), (0, 1), (0, 0)))
    x = x.reshape(a, length * (places + 1), b)[:, : length * places]
    return x.reshape(a, length, places, b)[:, :, length - 1 :]

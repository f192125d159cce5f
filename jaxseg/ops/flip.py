"""Flips of samples that are padded at the bottom and at the right."""

import jax
import jax.numpy as jnp


def flip_within(
    x: jax.Array, valid_shape: jax.Array, horizontal: jax.Array, vertical: jax.Array
) -> jax.Array:
    """Mirrors some samples of a batch; what is padding stays padding.

    Args:
        x: (N, H, W) or (N, H, W, C).
        valid_shape: (N, 2) height and width of each sample without padding.
        horizontal, vertical: (N,) truth values: what is mirrored.
    """
    for axis, wanted in ((1, vertical), (2, horizontal)):
        places = jnp.arange(x.shape[axis])
        length = valid_shape[:, axis - 1, None]
        mirrored = jnp.where(places < length, length - 1 - places, places)
        source = jnp.where(wanted[:, None], mirrored, places)
        take = jax.vmap(lambda sample, rows, a=axis - 1: sample.take(rows, axis=a))
        x = take(x, source)
    return x

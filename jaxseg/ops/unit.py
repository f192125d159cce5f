"""Vectors of length 1."""

import jax
import jax.numpy as jnp

from jaxseg.ops.narrow import wide


def unit(x: jax.Array) -> jax.Array:
    """Vectors of length 1 along the last axis; those of zeros stay, as in torch."""
    y = wide(x)
    y = y / jnp.maximum(jnp.linalg.norm(y, axis=-1, keepdims=True), 1e-12)
    return y.astype(x.dtype)

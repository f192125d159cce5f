"""Scaled dot-product attention."""

from collections.abc import Callable

import jax
import jax.numpy as jnp


def attention(
    q: jax.Array,
    k: jax.Array,
    v: jax.Array,
    drop: Callable[[jax.Array], jax.Array] = lambda probabilities: probabilities,
) -> jax.Array:
    """softmax(q k^T / sqrt(d)) v, the softmax in float32 at least.

    Args:
        q: (N, L, heads, d).
        k: (N, M, heads, d).
        v: (N, M, heads, d).
        drop: applied to the probabilities (N, heads, L, M).

    Returns:
        (N, L, heads, d) in q's dtype.
    """
    scores = jnp.einsum("nlhd,nmhd->nhlm", q * q.shape[-1] ** -0.5, k)
    scores = scores.astype(jnp.promote_types(scores.dtype, jnp.float32))
    probabilities = drop(jax.nn.softmax(scores, axis=-1)).astype(q.dtype)
    return jnp.einsum("nhlm,nmhd->nlhd", probabilities, v)

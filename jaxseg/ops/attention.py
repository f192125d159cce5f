"""Scaled dot-product attention."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxseg.ops.valid_size import in_bucket


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
    if (sizes := in_bucket()) is not None:
        valid = sizes.token_mask(k.shape[1])
        scores = jnp.where(valid[:, None, None, :], scores, -jnp.inf)
        v = jnp.where(valid[:, :, None, None], v, 0)
    probabilities = drop(jax.nn.softmax(scores, axis=-1)).astype(q.dtype)
    return jnp.einsum("nhlm,nmhd->nlhd", probabilities, v)

"""Criss-cross attention, each pixel to those of its row and column, as two products."""

import jax
import jax.numpy as jnp

from jaxseg.ops.bands.split_rows import refuse_split
from jaxseg.ops.padded.valid_size import in_bucket


def criss_cross_attention(q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
    """Sums of v over each pixel's row and column, weighed by softmax of q k^T.

    The pixel itself counts once, in its row. https://arxiv.org/abs/1811.11721

    Args:
        q: (N, H, W, d).
        k: (N, H, W, d).
        v: (N, H, W, e).

    Returns:
        (N, H, W, e) in v's dtype; the softmax is computed in float32 at least.
    """
    refuse_split(k, "criss-cross attention, in which a pixel sees its whole column")
    dtype = jnp.promote_types(q.dtype, jnp.float32)
    rows = jnp.einsum("nhwd,nhjd->nhwj", q, k).astype(dtype)
    columns = jnp.einsum("nhwd,niwd->nhwi", q, k).astype(dtype)
    itself = jnp.eye(q.shape[1], dtype=bool)[:, None, :]
    columns = jnp.where(itself, -jnp.inf, columns)
    if (sizes := in_bucket()) is not None:
        valid = sizes.mask(*k.shape[1:3])
        rows = jnp.where(valid[:, :, None, :], rows, -jnp.inf)
        columns = jnp.where(valid.swapaxes(1, 2)[:, None], columns, -jnp.inf)
        v = sizes.fill(v)
    # One softmax over both, without an array that holds both.
    largest = jnp.maximum(*(x.max(-1, keepdims=True) for x in (rows, columns)))
    largest = jax.lax.stop_gradient(largest)
    rows, columns = (jnp.exp(x - largest) for x in (rows, columns))
    total = rows.sum(-1, keepdims=True) + columns.sum(-1, keepdims=True)
    rows, columns = ((x / total).astype(v.dtype) for x in (rows, columns))
    y = jnp.einsum("nhwj,nhjc->nhwc", rows, v)
    return y + jnp.einsum("nhwi,niwc->nhwc", columns, v)

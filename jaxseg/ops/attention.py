"""Scaled dot-product attention, in the form that is fast for its platform."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxseg.ops.attention_by_heads import attention_by_heads
from jaxseg.ops.bands.split_rows import refuse_split
from jaxseg.ops.narrow import times, wide
from jaxseg.ops.padded.valid_size import in_bucket
from jaxseg.ops.platform import by_platform, on_tpu


def attention(
    q: jax.Array,
    k: jax.Array,
    v: jax.Array,
    drop: Callable[[jax.Array], jax.Array] | None = None,
    *,
    bias: jax.Array | None = None,
    mask: jax.Array | None = None,
) -> jax.Array:
    """softmax(q k^T / sqrt(d) + bias) v, the softmax in float32 at least.

    Args:
        q: (N, L, heads, d).
        k: (N, M, heads, d).
        v: (N, M, heads, d).
        drop: applied to the probabilities (N, heads, L, M), or None.
        bias: added to the scores, of four axes that are broadcast to (N, heads, L, M).
        mask: which keys a query sees, bool, of axes like those of the bias; a query
            sees one key at least.

    Returns:
        (N, L, heads, d) in q's dtype.
    """
    refuse_split(k, "attention, in which every pixel sees all others")
    q = times(q, q.shape[-1] ** -0.5)
    valid = None
    if (sizes := in_bucket()) is not None:
        valid = sizes.token_mask(k.shape[1])
        v = jnp.where(valid[:, :, None, None], v, 0)
        valid = valid[:, None]
    if mask is not None:
        dtype = jnp.promote_types(q.dtype, jnp.float32)
        bias = jnp.where(mask, 0 if bias is None else bias.astype(dtype), -jnp.inf)
        bias = bias.astype(dtype)
    return attend(q, k, v, valid, drop, bias)


def attend(
    q: jax.Array,
    k: jax.Array,
    v: jax.Array,
    valid: jax.Array | None = None,
    drop: Callable[[jax.Array], jax.Array] | None = None,
    bias: jax.Array | None = None,
) -> jax.Array:
    """softmax(q k^T + bias) v over the keys that are here; a float32 softmax at least.

    Args:
        q: (..., L, heads, d), scaled.
        k: (..., M, heads, d).
        v: (..., M, heads, e), finite where it is not valid, too.
        valid: which keys a query sees, bool, of axes that are broadcast to (..., L, M),
            one at least; None where it sees all.
        drop: applied to the probabilities (..., heads, L, M), or None.
        bias: added to the scores, of axes that are broadcast to (..., heads, L, M).

    Returns:
        (..., L, heads, e) in q's dtype.
    """
    if drop is None:
        return on_tpu(attention_by_heads, _of_a_cpu_or_gpu, q, k, v, valid, bias)
    return _all_heads(q, k, v, valid, bias, drop)


def _of_a_cpu_or_gpu(*args):
    return by_platform(attention_by_heads, _all_heads, *args)


def _all_heads(q, k, v, valid, bias, drop=None):
    scores = jnp.einsum("...lhd,...mhd->...hlm", q, k)
    scores = wide(scores)
    if bias is not None:
        scores = scores + bias
    if valid is not None:
        scores = jnp.where(valid[..., None, :, :], scores, -jnp.inf)
    probabilities = jax.nn.softmax(scores, axis=-1)
    if drop is not None:
        probabilities = drop(probabilities)
    return jnp.einsum("...hlm,...mhd->...lhd", probabilities.astype(q.dtype), v)

"""Attention head by head, for CPUs and TPUs."""

import jax
import jax.numpy as jnp

from jaxseg.ops.narrow import wide
from jaxseg.ops.precision import custom_vjp


def attention_by_heads(
    q: jax.Array,
    k: jax.Array,
    v: jax.Array,
    valid: jax.Array | None,
    bias: jax.Array | None,
) -> jax.Array:
    """Scaled dot-product attention, one head after the other.

    On a CPU three times faster than all heads in one product, forward and backward:
    the scores of a head are read while they are in the cache, the gradient computes
    them again, and no large array is transposed. On a TPU the scores of a head stay in
    the chip's fast memory: of 4 x 12 heads and 1025 tokens, forward and backward, a
    v5e's main memory moves 0.06 GB in place of 1.2.

    Args:
        q: (..., L, heads, d), scaled.
        k, v: (..., M, heads, d).
        valid: which keys count, bool, broadcast to (..., L, M); None where all do.
        bias: added to the scores, broadcast to (..., heads, L, M), or None.

    Returns:
        (..., L, heads, d) in q's dtype.
    """
    heads = tuple(jnp.moveaxis(x, -2, 0) for x in (q, k, v))
    if bias is None or bias.shape[-3] == 1:
        shared = None if bias is None else bias.squeeze(-3)
        y = jax.lax.map(lambda head: _one_head(*head, valid, shared), heads)
    else:
        own = jnp.moveaxis(bias, -3, 0)
        y = jax.lax.map(
            lambda head: _one_head(*head[:3], valid, head[3]), (*heads, own)
        )
    return jnp.moveaxis(y, 0, -2)


@custom_vjp
def _one_head(q, k, v, valid, bias):
    """Attention of one head of all samples.

    q (..., L, d), k and v (..., M, d), valid and bias broadcast to (..., L, M).
    """
    return _forward(q, k, v, valid, bias)[0]


def _scores(q, k, valid, bias):
    scores = jnp.einsum("...ld,...md->...lm", q, k)
    scores = wide(scores)
    scores = scores if bias is None else scores + bias
    return scores if valid is None else jnp.where(valid, scores, -jnp.inf)


def _forward(q, k, v, valid, bias):
    scores = _scores(q, k, valid, bias)
    largest = scores.max(-1, keepdims=True)
    exponentials = jnp.exp(scores - largest)
    total = exponentials.sum(-1, keepdims=True)
    # Divided after the product, where there is less to divide.
    y = jnp.einsum("...lm,...md->...ld", exponentials.astype(v.dtype), v) / total
    y = y.astype(q.dtype)
    return y, (q, k, v, valid, bias, y, largest + jnp.log(total))


def _backward(residuals, g):
    """As in FlashAttention: https://arxiv.org/abs/2205.14135, appendix B."""
    q, k, v, valid, bias, y, log_total = residuals
    p = jnp.exp(_scores(q, k, valid, bias) - log_total)
    dp = jnp.einsum("...ld,...md->...lm", g, v)
    inner = (g * y).astype(p.dtype).sum(-1, keepdims=True)
    ds = p * (dp - inner)
    db = None if bias is None else _summed_to(ds, bias)
    ds = ds.astype(q.dtype)
    dq = jnp.einsum("...lm,...md->...ld", ds, k)
    return dq, _summed_over_queries(ds, q), _summed_over_queries(p, g), None, db


def _summed_to(x, like):
    """x summed over the axes along which an array was broadcast to its shape."""
    axes = tuple(i for i, side in enumerate(like.shape) if side == 1 != x.shape[i])
    return x.sum(axes, keepdims=True).astype(like.dtype)


def _summed_over_queries(weights, x):
    """(..., L, M), (..., L, d) -> (..., M, d), the product over L."""
    # The small factor is the one that is transposed, which takes a quarter of the
    # time; without the barrier XLA turns the product around again.
    product = jnp.einsum("...ld,...lm->...dm", x, weights.astype(x.dtype))
    return jax.lax.optimization_barrier(product).swapaxes(-1, -2)


_one_head.defvjp(_forward, _backward)

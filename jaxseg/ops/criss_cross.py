"""Criss-cross attention, each pixel to those of its row and column, as two products."""

import jax
import jax.numpy as jnp

from jaxseg.ops.bands.split_rows import refuse_split
from jaxseg.ops.narrow import wide
from jaxseg.ops.padded.valid_size import in_bucket
from jaxseg.ops.platform import by_platform
from jaxseg.ops.precision import custom_vjp


def criss_cross_attention(q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
    """Sums of v over each pixel's row and column, weighed by softmax of q k^T.

    The pixel itself counts once, in its row. https://arxiv.org/abs/1811.11721

    The gradient computes the weights again. On a CPU one sample follows the other, so
    that what the products need transposed is that of one sample.

    Args:
        q: (N, H, W, d).
        k: (N, H, W, d).
        v: (N, H, W, e).

    Returns:
        (N, H, W, e) in v's dtype; the softmax is computed in float32 at least.
    """
    refuse_split(k, "criss-cross attention, in which a pixel sees its whole column")
    valid = None
    if (sizes := in_bucket()) is not None:
        valid = sizes.mask(*k.shape[1:3])
        v = sizes.fill(v)
    return _attend(q, k, v, valid)


@custom_vjp
def _attend(q, k, v, valid):
    return _forward(q, k, v, valid)[0]


def _forward(q, k, v, valid):
    y, log_total = _by_sample(_weighted_sums, q, k, v, valid)
    return y, (q, k, v, valid, y, log_total)


def _backward(residuals, g):
    """As in FlashAttention, with two products: https://arxiv.org/abs/2205.14135."""
    return *_by_sample(_gradients, *residuals, g), None


_attend.defvjp(_forward, _backward)


def _by_sample(function, *arrays):
    """function(*arrays), whose arrays (N, ...) have one sample after the other on a CPU."""

    def one_after_the_other(*arrays):
        def of_one(sample):
            one = jax.tree.map(lambda x: x[None], sample)
            return jax.tree.map(lambda x: x[0], function(*one))

        return jax.lax.map(of_one, arrays)

    return by_platform(one_after_the_other, function, *arrays)


def _scores(q, k, valid):
    """Products with the pixels of the row (N, H, W, W), of the column (N, H, W, H)."""
    rows = wide(jnp.einsum("nhwd,nhjd->nhwj", q, k))
    columns = wide(jnp.einsum("nhwd,niwd->nhwi", q, k))
    itself = jnp.eye(q.shape[1], dtype=bool)[:, None, :]
    columns = jnp.where(itself, -jnp.inf, columns)
    if valid is not None:
        rows = jnp.where(valid[:, :, None, :], rows, -jnp.inf)
        columns = jnp.where(valid.swapaxes(1, 2)[:, None], columns, -jnp.inf)
    return rows, columns


def _weighted_sums(q, k, v, valid):
    """(result, logarithm of the sum of the exponentials of each pixel)."""
    # One softmax over both, without an array that holds both.
    scores = _scores(q, k, valid)
    largest = jnp.maximum(*(x.max(-1, keepdims=True) for x in scores))
    rows, columns = (jnp.exp(x - largest) for x in scores)
    total = rows.sum(-1, keepdims=True) + columns.sum(-1, keepdims=True)
    rows, columns = ((x / total).astype(v.dtype) for x in (rows, columns))
    y = jnp.einsum("nhwj,nhjc->nhwc", rows, v)
    y = y + jnp.einsum("nhwi,niwc->nhwc", columns, v)
    return y, largest + jnp.log(total)


def _gradients(q, k, v, valid, y, log_total, g):
    """Those of q, k and v."""
    rows, columns = (jnp.exp(x - log_total) for x in _scores(q, k, valid))
    inner = wide(g * y).sum(-1, keepdims=True)
    of_rows = rows * (wide(jnp.einsum("nhwc,nhjc->nhwj", g, v)) - inner)
    of_columns = columns * (wide(jnp.einsum("nhwc,niwc->nhwi", g, v)) - inner)
    rows, columns = (x.astype(v.dtype) for x in (rows, columns))
    of_rows, of_columns = (x.astype(q.dtype) for x in (of_rows, of_columns))
    dq = jnp.einsum("nhwj,nhjd->nhwd", of_rows, k)
    dq = dq + jnp.einsum("nhwi,niwd->nhwd", of_columns, k)
    dk = jnp.einsum("nhwj,nhwd->nhjd", of_rows, q)
    dk = dk + jnp.einsum("nhwi,nhwd->niwd", of_columns, q)
    dv = jnp.einsum("nhwj,nhwc->nhjc", rows, g)
    dv = dv + jnp.einsum("nhwi,nhwc->niwc", columns, g)
    return dq, dk, dv

"""Order statistics without a sort, and the largest channel."""

import jax
import jax.numpy as jnp
import numpy as np

# Bits of a pattern that one histogram of `_by_histograms` tells apart.
_DIGIT_BITS = 11


def kth_smallest(values: jax.Array, mask: jax.Array, k: jax.Array) -> jax.Array:
    """The k-th smallest (from 0) of the values under a mask, exactly.

    Finds its bit pattern by counting: on a CPU some 50 times faster than sorting a
    full-size loss map.

    Args:
        values: any shape, floating point, not negative.
        mask: bool, same shape: the values that take part. At least one.
        k: integer scalar, below the number of values that take part.

    Returns:
        Scalar of values' dtype.
    """
    integer = {4: jnp.uint32, 8: jnp.uint64}[values.dtype.itemsize]
    # Of floats that are not negative, the bit patterns sort as the floats do.
    # abs() makes a zero of a minus zero.
    patterns = jax.lax.bitcast_convert_type(jnp.abs(values), integer)
    find = _by_histograms if jax.default_backend() == "cpu" else _by_halving
    return jax.lax.bitcast_convert_type(find(patterns, mask, k), values.dtype)


def _by_halving(patterns, mask, k):
    """Bit by bit; each step only counts, where a scatter is slow or not exact."""
    bits = 8 * patterns.dtype.itemsize
    integer = patterns.dtype.type

    def set_bit(step, low):
        trial = low | (integer(1) << (bits - 1 - step).astype(integer))
        below = jnp.sum(mask & (patterns < trial))
        return jnp.where(below <= k, trial, low)

    zero = (patterns.ravel()[0] * 0).astype(integer)
    return jax.lax.fori_loop(0, bits, set_bit, zero)


def _by_histograms(patterns, mask, k):
    """Eleven bits at a time: on a CPU four times faster than bit by bit."""
    patterns, mask = patterns.ravel(), mask.ravel()
    integer = patterns.dtype.type
    low = (patterns[0] * 0).astype(integer)
    stop = 8 * patterns.dtype.itemsize
    while stop > 0:
        start = max(stop - _DIGIT_BITS, 0)
        size = 1 << (stop - start)
        # Among those that agree with what is found so far.
        mask = mask & (patterns & _above(integer, stop) == low)
        digit = (patterns >> integer(start)) & integer(size - 1)
        empty = jnp.zeros_like(patterns, jnp.int32, shape=(size,))
        counts = empty.at[digit].add(mask.astype(jnp.int32))
        up_to = jnp.cumsum(counts)
        found = jnp.minimum(jnp.sum(up_to <= k), size - 1)
        k = k - (up_to[found] - counts[found])
        low = low | (found.astype(integer) << integer(start))
        stop = start
    return low


def _above(integer, bit):
    """The mask of the bits from one on."""
    bits = 8 * np.dtype(integer).itemsize
    return integer(((1 << bits) - 1) >> bit << bit)


# From so many channels on, XLA's argmax on a CPU takes 3 ns a value, and two plain
# reductions 0.6; of 19 channels its own is the faster one.
_MANY_CHANNELS = 64


def largest_channel(x: jax.Array) -> jax.Array:
    """The first of the largest channels, `argmax` over the last axis.

    Args:
        x: (..., C). Where a value is NaN, some channel is named.

    Returns:
        (...) int32.
    """
    channels = x.shape[-1]
    if jax.default_backend() != "cpu" or channels < _MANY_CHANNELS:
        return jnp.argmax(x, axis=-1).astype(jnp.int32)
    smaller = x < x.max(-1, keepdims=True)
    return jnp.where(smaller, channels, jnp.arange(channels, dtype=jnp.int32)).min(-1)

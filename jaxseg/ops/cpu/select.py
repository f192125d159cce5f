"""Order statistics, and the largest channel, for a CPU."""

import jax
import jax.numpy as jnp
import numpy as np

# Bits of a pattern that one histogram of `kth_by_histograms` tells apart.
_DIGIT_BITS = 11

# From so many channels on, XLA's argmax on a CPU takes 3 ns a value, and two plain
# reductions 0.6; of 19 channels its own is the faster one.
MANY_CHANNELS = 64


def kth_by_histograms(patterns: jax.Array, mask: jax.Array, k: jax.Array) -> jax.Array:
    """The k-th smallest of the unsigned integers under a mask, eleven bits at a time.

    On a CPU four times faster than bit by bit.

    Args:
        patterns, mask, k: as of `ops.select.kth_smallest`, of any shape.

    Returns:
        Scalar of patterns' dtype.
    """
    # Rows one by one: the places that a scatter is given are no map then.
    width = patterns.shape[-1]
    patterns, mask = patterns.reshape(-1, width), mask.reshape(-1, width)
    integer = patterns.dtype.type
    low = (patterns[0, 0] * 0).astype(integer)
    stop = 8 * patterns.dtype.itemsize
    while stop > 0:
        start = max(stop - _DIGIT_BITS, 0)
        size = 1 << (stop - start)

        def add_row(counts, row, start=start, stop=stop, size=size, low=low):
            values, taken = row
            # Among those that agree with what is found so far.
            taken = taken & (values & _above(integer, stop) == low)
            digit = (values >> integer(start)) & integer(size - 1)
            return counts.at[digit].add(taken.astype(jnp.int32)), None

        empty = jnp.zeros_like(patterns, jnp.int32, shape=(size,))
        counts, _ = jax.lax.scan(add_row, empty, (patterns, mask))
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


def largest_of_many_channels(x: jax.Array) -> jax.Array:
    """As `ops.select.largest_channel`, by two reductions."""
    channels = x.shape[-1]
    smaller = x < x.max(-1, keepdims=True)
    return jnp.where(smaller, channels, jnp.arange(channels, dtype=jnp.int32)).min(-1)

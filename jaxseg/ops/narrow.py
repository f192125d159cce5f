"""Narrow types: what bfloat16 cannot hold, computed in float32 and rounded once.

bfloat16 has 8 binary digits. The rounding of single values averages out over a map.
That of one number by which all values are multiplied does not, and a sum of many values
stops where the next one is less than half of its last digit: a sum of ones at 256, or,
in the partial sums that XLA makes on a CPU, 100,000 ones at 8192.
"""

import jax
import jax.numpy as jnp


def wide(x: jax.Array) -> jax.Array:
    """x in float32 at least."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def times(x: jax.Array, factor: float) -> jax.Array:
    """x times a number, in x's dtype: the product is rounded, the number is not."""
    return (wide(x) * factor).astype(x.dtype)


def spread(values: jax.Array, x: jax.Array) -> jax.Array:
    """Values that many places share, such as a bias, in x's shape and dtype.

    Their gradient is the sum over these places, and is taken in float32 at least.

    Args:
        values: of any floating type and a shape that broadcasts to x's.
        x: what they will be added to or multiplied with.
    """
    return jnp.broadcast_to(wide(values), x.shape).astype(x.dtype)

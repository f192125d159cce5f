"""Varying arrays: how arrays differ between devices inside shard_map."""

import jax
import jax.numpy as jnp


def varying_like(kernel: jax.Array, x: jax.Array) -> jax.Array:
    """A kernel that is the same on all devices, as one that may differ as x does.

    A custom backward pass gives each device's own gradient of a kernel. The backward
    pass of this sum with zeros adds them up where shard_map replicates the kernel;
    elsewhere XLA drops it.
    """
    return kernel + jnp.zeros_like(x, kernel.dtype, shape=kernel.shape)

"""A generator of random bits that compiles quickly, for the moments of starting values.

JAX's own ones are hundreds of operations for each draw. This one is a hash of a counter
(the last steps of MurmurHash3, by A. Appleby), which is random enough for a mean and a
standard deviation, and for nothing else.
"""

import math

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.random import define_prng_impl

GOLDEN = np.uint32(0x9E3779B9)


def _mixed(x):
    x = (x ^ (x >> 16)) * np.uint32(0x85EBCA6B)
    x = (x ^ (x >> 13)) * np.uint32(0xC2B2AE35)
    return x ^ (x >> 16)


def _random_bits(key, width, shape):
    counter = lax.iota(jnp.uint32, math.prod(shape)).reshape(shape)
    return _mixed(_mixed(counter * GOLDEN + key[0]) ^ key[1]).astype(f"uint{width}")


def _split(key, shape):
    first = _random_bits(key, 32, shape)
    return jnp.stack([first, _mixed(first + GOLDEN)], axis=-1)


def _fold_in(key, data):
    first = _mixed(key[0] ^ _mixed(jnp.uint32(data) + GOLDEN))
    return jnp.stack([first, _mixed(key[1] + first)])


def _seed(number):
    first = _mixed(jnp.uint32(number) + GOLDEN)
    return jnp.stack([first, _mixed(first + GOLDEN)])


HASH = define_prng_impl(
    key_shape=(2,),
    seed=_seed,
    split=_split,
    random_bits=_random_bits,
    fold_in=_fold_in,
    name="hash of a counter",
    tag="hash",
)

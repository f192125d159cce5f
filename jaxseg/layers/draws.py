"""Random draws of a loss or a head, from the stream `sample`."""

import contextlib
import contextvars
from collections.abc import Callable, Iterator

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.layers.data_axis import sample_keys

_given: contextvars.ContextVar = contextvars.ContextVar("given", default=None)


def uniform(module: nn.Module, shape: tuple[int, ...], dtype: jnp.dtype) -> jax.Array:
    """Numbers from 0 to 1, without 1: those of a sample follow from its place.

    Args:
        module: whose stream `sample` is drawn from.
        shape: (N, ...), over the samples of the batch.
        dtype: the data type of the result.
    """
    given = _given.get()
    if given is not None:
        return jnp.asarray(given(shape), dtype)
    keys = sample_keys(module.make_rng("sample"), shape[0])
    return jax.vmap(lambda key: jax.random.uniform(key, shape[1:], dtype))(keys)


@contextlib.contextmanager
def given_draws(draw: Callable[[tuple[int, ...]], np.ndarray]) -> Iterator[None]:
    """What is traced inside takes its numbers from `draw(shape)`, in order.

    So a model can be compared with one that drew other numbers.
    """
    token = _given.set(draw)
    try:
        yield
    finally:
        _given.reset(token)

"""Random draws of a loss or a head, from the stream `sample`."""

import contextlib
import contextvars
from collections.abc import Callable, Iterator, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.layers.data_axis import sample_keys

_given: contextvars.ContextVar = contextvars.ContextVar("given", default=None)


def uniform(
    module: nn.Module, shape: tuple[int, ...], dtype: jnp.dtype, train: bool = True
) -> jax.Array:
    """Numbers from 0 to 1, without 1: those of a sample follow from its place.

    Args:
        module: whose stream `sample` is drawn from.
        shape: (N, ...), over the samples of the batch.
        dtype: the data type of the result.
        train: False draws nothing from the stream: all samples, whatever their batch,
            get the numbers of one key, the same ones in every program.
    """
    given = _given.get()
    if given is not None:
        return jnp.asarray(given(shape), dtype)
    if not train:
        key = jax.random.key(0, impl="threefry2x32")
        fixed = jax.random.uniform(key, shape[1:], jnp.float32).astype(dtype)
        return jnp.broadcast_to(fixed, shape)
    keys = sample_keys(module.make_rng("sample"), shape[0])
    return jax.vmap(lambda key: jax.random.uniform(key, shape[1:], dtype))(keys)


def rounds(
    module: nn.Module, number: int, shapes: Sequence[tuple[int, ...]]
) -> tuple[jax.Array, ...]:
    """What the draws of several rounds are made of, where there is no room for them all.

    Args:
        module: whose stream `sample` is drawn from.
        number: number of rounds.
        shapes: (N, ...) of all that is drawn in a round, in order.

    Returns:
        An array for each of the shapes, whose first axis is the rounds, to be scanned;
        `part_of` draws from what a round has of it.
    """
    given = _given.get()
    if given is not None:
        drawn = [[given(shape) for shape in shapes] for _ in range(number)]
        return tuple(jnp.asarray(np.stack(values)) for values in zip(*drawn))
    fold = jax.vmap(jax.vmap(jax.random.fold_in, (0, None)), (None, 0))
    return tuple(
        fold(sample_keys(module.make_rng("sample"), shape[0]), jnp.arange(number))
        for shape in shapes
    )


def part_of(
    source: jax.Array, index: int | jax.Array, shape: tuple[int, ...], dtype: jnp.dtype
) -> jax.Array:
    """Numbers from 0 to 1, without 1, as of `uniform`, of one part of a draw.

    Args:
        source: what a round has of a draw (N, parts * shape[0], ...).
        index: the number of the part.
        shape: of the part, without N.
        dtype: the data type of the result.

    Returns:
        (N, *shape).
    """
    if not jnp.issubdtype(source.dtype, jax.dtypes.prng_key):
        start = index * shape[0]
        return jax.lax.dynamic_slice_in_dim(source, start, shape[0], 1).astype(dtype)
    keys = jax.vmap(jax.random.fold_in, (0, None))(source, index)
    return jax.vmap(lambda key: jax.random.uniform(key, shape, dtype))(keys)


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

"""Dropout in its three widths; each draws from the `dropout` stream, sample by sample."""

import functools
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.layers.data_axis import sample_keys
from jaxseg.ops.narrow import times


def _drop(key, x, rate, shape):
    """Keeps entries of a mask of `shape` a sample with 1 - rate, scaled up."""
    keys = sample_keys(key, x.shape[0])
    keep = jax.vmap(lambda k: jax.random.bernoulli(k, 1 - rate, shape))(keys)
    return jnp.where(keep, times(x, 1 / (1 - rate)), 0)


class Dropout(nn.Module):
    """Drops single values with probability `rate`."""

    rate: float

    @nn.compact
    def __call__(self, x, train: bool):
        if not train or self.rate <= 0:
            return x
        return _drop(self.make_rng("dropout"), x, self.rate, x.shape[1:])


class Dropout2d(nn.Module):
    """Drops whole channels of a sample of (N, H, W, C) with probability `rate`."""

    rate: float

    @nn.compact
    def __call__(self, x, train: bool):
        if not train or self.rate <= 0:
            return x
        return _drop(self.make_rng("dropout"), x, self.rate, (1, 1, x.shape[-1]))


class DropPath(nn.Module):
    """Drops a sample's whole branch with probability `rate`.

    Stochastic depth, https://arxiv.org/abs/1603.09382
    """

    rate: float

    @nn.compact
    def __call__(self, x, train: bool):
        if not train or self.rate <= 0:
            return x
        shape = (1,) * (x.ndim - 1)
        return _drop(self.make_rng("dropout"), x, self.rate, shape)


def attention_dropout(
    rate: float, train: bool
) -> Callable[[jax.Array], jax.Array] | None:
    """Dropout `attn_drop` of attention's probabilities; None where it drops nothing.

    It is a module of the one inside whose `nn.compact` this is called. With None,
    attention takes its quicker form.
    """
    if not train or rate <= 0:
        return None
    return functools.partial(Dropout(rate, name="attn_drop"), train=train)

"""Layer normalisation, in the form that is fast for its platform."""

import functools

import jax

from jaxseg.ops.cpu.layer_norm import layer_norm_with_gradient, normalise
from jaxseg.ops.platform import by_platform


def layer_norm(
    x: jax.Array, scale: jax.Array, bias: jax.Array, eps: float
) -> jax.Array:
    """torch's layer_norm over the last axis. https://arxiv.org/abs/1607.06450

    Args:
        x: (..., C), floating point; computed in float32 at least.
        scale: (C,).
        bias: (C,).
        eps: added to the variance.

    Returns:
        (..., C) in x's dtype.
    """
    on_cpu = functools.partial(layer_norm_with_gradient, eps=eps)
    return by_platform(on_cpu, functools.partial(_plain, eps=eps), x, scale, bias)


def _plain(x, scale, bias, eps):
    return normalise(x, scale, bias, eps)[0]

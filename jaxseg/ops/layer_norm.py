"""Layer normalisation, in the form that is fast for its platform."""

import jax

from jaxseg.ops.cpu.layer_norm import layer_norm_with_gradient, normalise
from jaxseg.ops.platform import bound, by_platform


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
    forms = (bound(form, eps=eps) for form in (layer_norm_with_gradient, _plain))
    return by_platform(*forms, x, scale, bias)


def _plain(x, scale, bias, eps):
    return normalise(x, scale, bias, eps)[0]

"""Layer scale: a learned factor for each channel of a branch."""

import flax.linen as nn
import jax

from jaxseg.ops.narrow import spread


def layer_scale(module: nn.Module, name: str, start: float, x: jax.Array) -> jax.Array:
    """x times a parameter of `module`. https://arxiv.org/abs/2103.17239

    Args:
        module: the block that has the parameter, inside its `nn.compact`.
        name: the parameter's.
        start: its starting value.
        x: (..., C).

    Returns:
        (..., C) in x's dtype.
    """
    init = nn.initializers.constant(start)
    return x * spread(module.param(name, init, (x.shape[-1],)), x)

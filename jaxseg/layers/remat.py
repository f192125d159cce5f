"""Rematerialisation."""

import flax.linen as nn


def remat_if(module: type[nn.Module], enabled: bool) -> type[nn.Module]:
    """`with_cp`: the block's activations are computed again in the backward pass.

    The block is called as (x, train), and `train` is static. Running statistics take
    in a batch once; in mmseg the second computation counts it again.
    """
    return nn.remat(module, static_argnums=(2,)) if enabled else module

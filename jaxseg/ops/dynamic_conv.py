"""Dynamic convolution: kernels that are made of the image they are applied to."""

import jax
import jax.numpy as jnp

from jaxseg.ops.bands.split_rows import windows_of_band
from jaxseg.ops.padded.valid_size import mask_windows


def dynamic_depthwise_conv2d(x: jax.Array, kernels: jax.Array) -> jax.Array:
    """A convolution in which every channel of every sample has a kernel of its own.

    As a sum of shifted maps: XLA makes one loop of it, where a convolution whose
    groups are samples and channels has no fast form on any platform.

    Args:
        x: (N, H, W, C).
        kernels: (N, k, k, C). A kernel of even size looks one pixel further up and
            left than down and right.

    Returns:
        (N, H, W, C) in x's dtype, summed in float32 at least.
    """
    if kernels.shape[1] % 2 == 0:
        kernels = jnp.pad(kernels, ((0, 0), (0, 1), (0, 1), (0, 0)))
    side = kernels.shape[1]
    height, width = x.shape[1:3]
    window, padding = (side, side), (side // 2, side // 2)
    x = mask_windows(x, window, (1, 1), padding)
    x, padding = windows_of_band(x, window, (1, 1), padding)
    x = jnp.pad(x, ((0, 0), *((pad, pad) for pad in padding), (0, 0)))
    dtype = jnp.promote_types(x.dtype, jnp.float32)
    wide = kernels.astype(dtype)[:, :, :, None, None]
    total = sum(
        x[:, i : i + height, j : j + width].astype(dtype) * wide[:, i, j]
        for i in range(side)
        for j in range(side)
    )
    return total.astype(x.dtype)

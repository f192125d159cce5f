"""Transposed convolution as a sum of matrix products."""

import jax
import jax.numpy as jnp

from jaxseg.ops.cpu.windows import Windows
from jaxseg.ops.linear import linear


def subpixel_conv_transpose2d(
    x: jax.Array, kernel: jax.Array, stride: int, padding: int, output_padding: int
) -> jax.Array:
    """A transposed convolution, every phase of whose result is a plain one.

    The pixels of the result whose row and column have the same remainders by the
    stride meet the same part of the kernel. One convolution gives all these phases, as
    so many features, and they are interleaved. https://arxiv.org/abs/1609.07009

    Its few taps are matrix products: XLA's CPU backend takes 15 to 40 times as long
    for the gradients of its own transposed convolution, and as long for those of this
    plain one.

    Args:
        x: (N, H, W, C).
        kernel: (kh, kw, C, features).
        stride: how many times larger the result is.
        padding: pixels cut from every side of the full result.
        output_padding: pixels that the result has more below and on the right.

    Returns:
        (N, (H - 1) * stride - 2 * padding + kh + output_padding, ..., features).
    """
    inputs, features = kernel.shape[2:]
    # More pixels below are what a longer kernel has whose last taps are 0.
    long = [side + output_padding for side in kernel.shape[:2]]
    height, width = (
        (size - 1) * stride - 2 * padding + side
        for size, side in zip(x.shape[1:3], long, strict=True)
    )
    extra = [(0, output_padding + -side % stride) for side in long]
    kernel = jnp.pad(kernel, (*extra, (0, 0), (0, 0)))
    sides = (kernel.shape[0] // stride, kernel.shape[1] // stride)
    kernel = kernel.reshape(sides[0], stride, sides[1], stride, inputs, features)
    # The last tap meets the pixel to the upper left.
    kernel = kernel[::-1, :, ::-1].transpose(0, 2, 4, 1, 3, 5)
    kernel = kernel.reshape(*sides, inputs, stride * stride * features)
    windows = Windows(sides, (1, 1), (sides[0] - 1, sides[1] - 1))
    slices = zip(windows.taps(), windows.slices(windows.pad(x)), strict=True)
    y = sum(linear(part, kernel[tap]) for tap, part in slices)
    batch, down, right = y.shape[:3]
    y = y.reshape(batch, down, right, stride, stride, features)
    y = y.transpose(0, 1, 3, 2, 4, 5)
    y = y.reshape(batch, down * stride, right * stride, features)
    return y[:, padding : padding + height, padding : padding + width]

"""Deformable convolution: every tap of a kernel looks where the image tells it to.

Deformable Convolutional Networks, https://arxiv.org/abs/1703.06211
Deformable ConvNets v2: More Deformable, Better Results,
https://arxiv.org/abs/1811.11168
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.ops.bands.split_rows import refuse_split
from jaxseg.ops.cpu.windows import Windows
from jaxseg.ops.narrow import wide
from jaxseg.ops.padded.valid_size import mask_windows
from jaxseg.ops.pair import Pair, as_pair


def deform_conv2d(
    x: jax.Array,
    kernel: jax.Array,
    offset: jax.Array,
    mask: jax.Array | None = None,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> jax.Array:
    """mmcv's deform_conv2d and modulated_deform_conv2d with channels last.

    Tap k of the kernel sees the bilinear value at its own place plus an offset, times
    a factor; beyond the border the image is 0. The taps are summed one after the
    other, so no array is larger than what one of them sees, (N, H', W', C), forward
    and backward: mmcv's columns are as many times larger as the kernel has taps. Of 64
    channels and 3x3 taps XLA's CPU backend holds 4.6 times the map at once forward, and
    15 times, most of it the gradients of the four pixels around a place, in the
    backward pass; mmcv's columns are 9 times the map.

    One number stands for both axes, a pair for (vertical, horizontal).

    Args:
        x: (N, H, W, C), floating point.
        kernel: (kh, kw, C / groups, features) in x's dtype.
        offset: (N, H', W', 2 * D * kh * kw) in pixels, (vertical, horizontal) of each
            tap for each of D parts of the channels: mmcv's `deform_groups`. Places are
            computed in float32 at least.
        mask: the factors, (N, H', W', D * kh * kw), or None for 1.
        stride, padding, dilation, groups: as of `conv2d`.

    Returns:
        (N, H', W', features) in x's dtype, summed in float32 at least.

    Raises:
        CannotSplit: if the image is split into bands of rows: an offset may lead into
            any of them.
    """
    refuse_split(x, "deformable convolution, which may look at any row")
    stride, padding, dilation = map(as_pair, (stride, padding, dilation))
    x = mask_windows(x, kernel.shape[:2], stride, padding, dilation)
    windows = Windows(kernel.shape[:2], stride, padding, dilation)
    offset, mask = _by_tap(offset, mask, windows)
    see = jax.checkpoint(
        functools.partial(_sampled_product, windows=windows, groups=groups),
        prevent_cse=False,  # the loop keeps both passes apart
    )
    taps = np.array(list(windows.taps()), np.int32)
    kernels = kernel.reshape(len(taps), kernel.shape[2], groups, -1)
    # A border of zeros: what is near it, but outside, sees some of both. Many places
    # may see one pixel, whose gradient is their sum.
    x_padded = wide(jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))))

    def add_tap(total, tap):
        return total + see(x_padded, *tap), None

    # Like x, so that under shard_map the sums vary over the devices as x does.
    shape = (*offset.shape[1:4], kernel.shape[3])
    total = jnp.zeros_like(x, jnp.promote_types(x.dtype, jnp.float32), shape=shape)
    total, _ = jax.lax.scan(add_tap, total, (taps, kernels, offset, mask))
    return total.astype(x.dtype)


def _by_tap(offset, mask, windows):
    """(taps, N, H', W', D, 2) of the offsets and (taps, N, H', W', D) of the factors."""
    count = windows.sides[0] * windows.sides[1]
    offset = offset.reshape(*offset.shape[:3], -1, count, 2)
    offset = jnp.moveaxis(offset, 4, 0)
    if mask is not None:
        mask = jnp.moveaxis(mask.reshape(*mask.shape[:3], -1, count), 4, 0)
    return wide(offset), mask


def _sampled_product(x, tap, kernel, offset, mask, *, windows, groups):
    """What one tap (i, j) adds to the result, (N, H', W', features).

    The image x has a border of one pixel, and is of float32 at least; kernel:
    (C / groups, groups, features of a group); offset: (N, H', W', D, 2); mask:
    (N, H', W', D) or None.
    """
    inside, first, shares = True, [], []
    for axis in range(2):
        count, size = offset.shape[1 + axis], x.shape[1 + axis] - 2
        start = tap[axis] * windows.dilation[axis] - windows.padding[axis]
        places = (jnp.arange(count) * windows.stride[axis] + start)[:, None]
        places = (places[:, None] if axis == 0 else places) + offset[..., axis]
        inside &= (places > -1) & (places < size)
        low = jnp.floor(places)
        share = places - low
        # Where x has the first of two pixels.
        first.append(jnp.clip(low + 1, 0, size).astype(jnp.int32))
        shares.append((1 - share, share))
    factor = jnp.where(inside, 1 if mask is None else mask, 0)
    parts = x.reshape(*x.shape[:3], offset.shape[3], -1)
    seen = 0
    for down, of_row in enumerate(shares[0]):
        for right, of_column in enumerate(shares[1]):
            pixels = _pixels(parts, first[0] + down, first[1] + right)
            seen += (factor * of_row * of_column)[..., None] * pixels
    seen = seen.astype(kernel.dtype).reshape(*seen.shape[:3], groups, -1)
    y = jnp.einsum("nhwgc,cgo->nhwgo", seen, kernel, preferred_element_type=x.dtype)
    return y.reshape(*y.shape[:3], -1)


def _pixels(x, row, column):
    """The pixels of x (N, H, W, D, C) at places (N, H', W', D), (N, H', W', D, C)."""

    def pixel(x, row, column):  # (H, W, C) -> (C,)
        place = (row, column, jnp.zeros_like(row))
        return jax.lax.dynamic_slice(x, place, (1, 1, x.shape[2]))[0, 0]

    of_rows = jax.vmap(jax.vmap(pixel, (None, 0, 0)), (None, 0, 0))
    of_parts = jax.vmap(of_rows, (2, 2, 2), 2)
    return jax.vmap(of_parts)(x, row, column)

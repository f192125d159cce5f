"""Convolution in two dimensions, in the form that is fast for its platform and shape.

The choice is made here alone: models say what they compute. The forms for a CPU were
measured against XLA's own (`scripts/benchmark/ops.py`); on other platforms XLA's own
stay, until a measurement says otherwise.
"""

import functools

import jax

from jaxseg.ops.bands.split_rows import rows_of_transposed, split, windows_of_band
from jaxseg.ops.cpu.depthwise_conv import depthwise_conv2d
from jaxseg.ops.cpu.grouped_conv import grouped_conv2d
from jaxseg.ops.cpu.line_conv import line_conv2d
from jaxseg.ops.cpu.transposed_conv import subpixel_conv_transpose2d
from jaxseg.ops.cpu.windows import Windows
from jaxseg.ops.least_size import check_window
from jaxseg.ops.linear import linear
from jaxseg.ops.padded.valid_size import mask_transposed, mask_windows
from jaxseg.ops.pair import Pair, as_pair
from jaxseg.ops.platform import bound, by_platform

_DIMENSIONS = ("NHWC", "HWIO", "NHWC")


def conv2d(
    x: jax.Array,
    kernel: jax.Array,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> jax.Array:
    """torch's Conv2d with channels last.

    One number stands for both axes, a pair for (vertical, horizontal).

    Args:
        x: (N, H, W, C).
        kernel: (kh, kw, C / groups, features) in x's dtype.
        stride: step in pixels.
        padding: zeros added above and below, left and right.
        dilation: distance between the kernel's taps in pixels.
        groups: number of channel groups.

    Returns:
        (N, H', W', features).

    Raises:
        ModelSizeError: if x is smaller than one window.
    """
    stride, padding, dilation = map(as_pair, (stride, padding, dilation))
    x = mask_windows(x, kernel.shape[:2], stride, padding, dilation)
    x, padding = windows_of_band(x, kernel.shape[:2], stride, padding, dilation)
    check_window(x, kernel.shape[:2], padding, dilation)
    dense = bound(_dense, stride=stride, padding=padding, dilation=dilation)
    windows = Windows(kernel.shape[:2], stride, padding, dilation)
    if groups == 1:
        if min(windows.sides) > 1 or max(windows.sides) == 1:
            return dense(x, kernel)
        on_cpu = bound(line_conv2d, windows=windows, dense=dense)
        return by_platform(on_cpu, dense, x, kernel)
    if groups == x.shape[-1]:
        on_cpu = bound(depthwise_conv2d, windows=windows)
    else:
        on_cpu = bound(grouped_conv2d, groups=groups, windows=windows, dense=dense)
    return by_platform(on_cpu, bound(dense, groups=groups), x, kernel)


def _dense(x, kernel, stride, padding, dilation, groups=1):
    if kernel.shape[:2] == (1, 1) and groups == 1 and padding == (0, 0):
        # A matrix product: XLA's CPU backend takes twice as long for the same thing as
        # a convolution forward, and up to 10 times backward.
        return linear(x[:, :: stride[0], :: stride[1]], kernel[0, 0])
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        stride,
        [(pad, pad) for pad in padding],
        rhs_dilation=dilation,
        dimension_numbers=_DIMENSIONS,
        feature_group_count=groups,
    )


def conv_transpose2d(
    x: jax.Array,
    kernel: jax.Array,
    stride: int,
    padding: int,
    output_padding: int = 0,
) -> jax.Array:
    """torch's ConvTranspose2d with channels last.

    Args:
        x: (N, H, W, C).
        kernel: (kh, kw, C, features).
        stride: how many times larger the result is.
        padding: pixels cut from every side of the full result.
        output_padding: pixels that the result has more below and on the right.

    Returns:
        (N, (H - 1) * stride - 2 * padding + kh + output_padding, ..., features).
    """
    # More pixels below are what a longer kernel has whose last taps are 0.
    rows, columns = (side + output_padding for side in kernel.shape[:2])
    x = mask_transposed(x, (rows, columns), stride, padding)
    run = bound(
        _transposed, stride=stride, padding=padding, output_padding=output_padding
    )
    if (bands := split(x)) is not None:
        run = functools.partial(run, kernel=kernel)
        return rows_of_transposed(bands, x, rows, stride, padding, run)
    return run(x, kernel)


def _transposed(x, kernel, **how):
    elsewhere = bound(_of_dilated, **how)
    if how["stride"] == 1:
        return elsewhere(x, kernel)
    on_cpu = bound(subpixel_conv_transpose2d, **how)
    return by_platform(on_cpu, elsewhere, x, kernel)


def _of_dilated(x, kernel, stride, padding, output_padding):
    """The convolution of x with zeros between its pixels."""
    pads = [
        (side - 1 - padding, side - 1 - padding + output_padding)
        for side in kernel.shape[:2]
    ]
    return jax.lax.conv_general_dilated(
        x,
        kernel[::-1, ::-1],
        (1, 1),
        pads,
        lhs_dilation=(stride, stride),
        dimension_numbers=_DIMENSIONS,
    )

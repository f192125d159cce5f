"""Convolution with a kernel of one row or one column, as in factorised networks."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxseg.ops.cpu.windows import Windows
from jaxseg.ops.precision import custom_vjp
from jaxseg.ops.varying import varying_like


def line_conv2d(
    x: jax.Array,
    kernel: jax.Array,
    windows: Windows,
    dense: Callable[[jax.Array, jax.Array], jax.Array],
) -> jax.Array:
    """A convolution that mixes all channels along one axis.

    XLA's CPU backend is fast forward. Its gradient of the kernel takes 1 to 13 times as
    long as the products of here, one a tap: the most for 3x1 taps and a large map.

    Args:
        x: (N, H, W, C).
        kernel: (1, kw, C, features) or (kh, 1, C, features) in x's dtype.
        windows: where the kernel is put.
        dense: (x, kernel) -> the convolution.

    Returns:
        (N, H', W', features).
    """
    return _line(x, varying_like(kernel, x), windows, dense)


@functools.partial(custom_vjp, nondiff_argnums=(2, 3))
def _line(x, kernel, windows, dense):
    return dense(x, kernel)


def _forward(x, kernel, windows, dense):
    return dense(x, kernel), (x, kernel)


def _backward(windows, dense, residuals, g):
    x, kernel = residuals
    _, of_image = jax.vjp(lambda x: dense(x, kernel), x)
    g_rows = g.reshape(-1, g.shape[3])
    of_taps = [
        jax.lax.dot_general(
            part.reshape(-1, part.shape[3]),
            g_rows,
            (((0,), (0,)), ((), ())),
            preferred_element_type=jnp.promote_types(g.dtype, jnp.float32),
        )
        for part in windows.slices(windows.pad(x))
    ]
    return *of_image(g), jnp.stack(of_taps).reshape(kernel.shape).astype(kernel.dtype)


_line.defvjp(_forward, _backward)

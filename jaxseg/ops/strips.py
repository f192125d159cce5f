"""Work on upsampled logits strip by strip, so that they never exist at full size.

At 512 x 512 pixels and 150 classes the float32 logits of one image are 157 MB, and
the usual loss passes over them eight times. A strip is a few output rows: it is
resized, used and, for a loss, differentiated at once, while it is in the cache.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.ops.interpolation import AxisTable, linear_table
from jaxseg.ops.resize import interpolate_axis

# Bytes of a strip's float32 logits: within a core's cache, or an accelerator's.
_STRIP_BYTES = {"cpu": 4 << 20}
_ACCELERATOR_STRIP_BYTES = 64 << 20


@dataclasses.dataclass(frozen=True, eq=False)
class _Plan:
    """How the output rows are cut.

    Attributes:
        rows: output rows of a strip; the last strip may reach past the image.
        starts: (strips,) first input row that each strip needs.
        matrices: (strips, rows, extent) from those input rows to the output rows.
        columns: the resize along the width.
    """

    rows: int
    starts: np.ndarray
    matrices: np.ndarray
    columns: AxisTable


@functools.lru_cache(maxsize=256)
def _make_plan(in_size, size, align_corners, rows, double):
    table = linear_table(in_size[0], size[0], align_corners, None, double)
    strips = -(-size[0] // rows)
    first = table.index[::rows].min(axis=1)
    last = np.array(
        [table.index[i * rows : (i + 1) * rows].max() for i in range(strips)]
    )
    extent = int((last - first).max()) + 1
    starts = np.minimum(first, in_size[0] - extent).astype(np.int32)
    dense = np.zeros((strips * rows, in_size[0]))
    dense[: size[0]] = table.matrix
    matrices = np.stack(
        [
            dense[i * rows : (i + 1) * rows, start : start + extent]
            for i, start in enumerate(starts)
        ]
    )
    columns = linear_table(in_size[1], size[1], align_corners, None, double)
    return _Plan(rows, starts, matrices, columns)


def _plan_for(x, size, align_corners):
    limit = _STRIP_BYTES.get(jax.default_backend(), _ACCELERATOR_STRIP_BYTES)
    row_bytes = x.shape[0] * size[1] * x.shape[3] * 4
    rows = int(np.clip(limit // row_bytes, 1, size[0]))
    double = x.dtype == jnp.float64
    return _make_plan(x.shape[1:3], tuple(size), align_corners, rows, double)


def _cut(plan, pixels, height):
    """(N, H, W) -> (strips, N, rows, W), and which rows lie in the image."""
    strips = len(plan.starts)
    extra = strips * plan.rows - height

    def cut(array):
        array = jnp.pad(array, ((0, 0), (0, extra), (0, 0)))
        array = array.reshape(array.shape[0], strips, plan.rows, array.shape[2])
        return jnp.moveaxis(array, 1, 0)

    inside = np.arange(strips * plan.rows).reshape(strips, 1, plan.rows, 1) < height
    return tuple(cut(array) for array in pixels), inside


def _strip(plan, x, start, matrix):
    """The upsampled logits of one strip, (N, rows, W, C)."""
    extent = matrix.shape[1]
    source = jax.lax.dynamic_slice_in_dim(x, start, extent, axis=1)

    def upsample(source):
        wide = interpolate_axis(source, plan.columns, 2)
        return jnp.einsum("re,newc->nrwc", matrix.astype(source.dtype), wide)

    return source, upsample


def _wide(x):
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def strip_map(
    fn: Callable[..., Any],
    x: jax.Array,
    size: tuple[int, int],
    align_corners: bool,
    pixels: tuple[jax.Array, ...] = (),
) -> jax.Array:
    """Applies fn to bilinearly upsampled logits; not differentiable.

    Args:
        fn: (logits (N, rows, W, C) in float32, *pixels (N, rows, W)) ->
            (N, rows, W, ...).
        x: logits (N, h, w, C).
        size: (H, W) to upsample to.
        align_corners: of the upsampling.
        pixels: arrays (N, H, W) that fn gets beside the logits.

    Returns:
        (N, H, W, ...).
    """
    x = _wide(jax.lax.stop_gradient(x))
    if x.shape[1:3] == tuple(size):
        return fn(x, *pixels)
    plan = _plan_for(x, size, align_corners)
    pixels, _ = _cut(plan, pixels, size[0])

    def body(carry, strip):
        start, matrix, pixels = strip
        source, upsample = _strip(plan, x, start, matrix)
        return carry, fn(upsample(source), *pixels)

    _, out = jax.lax.scan(body, None, (plan.starts, plan.matrices, pixels))
    # (strips, N, rows, W, ...) -> (N, strips * rows, W, ...)
    out = jnp.moveaxis(out, 0, 1).reshape(x.shape[0], -1, *out.shape[3:])
    return out[:, : size[0]]


def strip_sums(
    fn: Callable[..., Any],
    x: jax.Array,
    size: tuple[int, int],
    align_corners: bool,
    pixels: tuple[jax.Array, ...],
    num_sums: int,
) -> tuple[jax.Array, jax.Array]:
    """Sums over the pixels of bilinearly upsampled logits, with their gradient.

    Args:
        fn: (logits (N, rows, W, C) in float32, inside (1, rows, 1) bool,
            *pixels (N, rows, W)) -> (sums (num_sums,), counts); it must leave out
            rows that are not inside, and may not close over traced values.
        x: logits (N, h, w, C).
        size: (H, W) to upsample to.
        align_corners: of the upsampling.
        pixels: arrays (N, H, W) that fn gets beside the logits.
        num_sums: number of sums; each one costs a backward pass of its own.

    Returns:
        The total sums (num_sums,), differentiable by x, and the total counts.
    """
    x = _wide(x)
    if x.shape[1:3] == tuple(size):
        return fn(x, np.ones((1, size[0], 1), bool), *pixels)
    plan = _plan_for(x, size, align_corners)
    return _sums((fn, plan, size[0], num_sums), x, pixels)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _sums(static, x, pixels):
    fn, plan, height, _ = static
    pixels, inside = _cut(plan, pixels, height)

    def body(carry, strip):
        start, matrix, inside, pixels = strip
        source, upsample = _strip(plan, x, start, matrix)
        return carry, fn(upsample(source), inside, *pixels)

    strips = (plan.starts, plan.matrices, inside, pixels)
    _, (sums, counts) = jax.lax.scan(body, None, strips)
    return sums.sum(0), counts.sum(0)


def _sums_forward(static, x, pixels):
    """Values and gradients in one pass over the strips."""
    fn, plan, height, num_sums = static
    pixels, inside = _cut(plan, pixels, height)

    def body(gradients, strip):
        start, matrix, inside, pixels = strip
        source, upsample = _strip(plan, x, start, matrix)

        def sums_of(source):
            return fn(upsample(source), inside, *pixels)

        sums, pull, counts = jax.vjp(sums_of, source, has_aux=True)
        units = [jnp.zeros_like(sums).at[k].set(1) for k in range(num_sums)]
        new = jnp.stack([pull(unit)[0] for unit in units])
        new += jax.lax.dynamic_slice_in_dim(gradients, start, matrix.shape[1], axis=2)
        gradients = jax.lax.dynamic_update_slice_in_dim(gradients, new, start, axis=2)
        return gradients, (sums, counts)

    zeros = jnp.zeros_like(x, shape=(num_sums, *x.shape))
    strips = (plan.starts, plan.matrices, inside, pixels)
    gradients, (sums, counts) = jax.lax.scan(body, zeros, strips)
    return (sums.sum(0), counts.sum(0)), gradients


def _sums_backward(static, gradients, cotangents):
    del static
    return jnp.tensordot(cotangents[0], gradients, 1), None


_sums.defvjp(_sums_forward, _sums_backward)

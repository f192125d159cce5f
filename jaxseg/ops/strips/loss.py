"""Work on upsampled logits strip by strip, so that they never exist at full size.

At 512 x 512 pixels and 150 classes the float32 logits of one image are 157 MB, and
the usual loss passes over them eight times. A strip is a few output rows: it is
resized, used and, for a loss, differentiated at once, while it is in the cache.
Logits that are of full size already are cut too: what a loss makes of them on its
way is several times their size.
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
_STRIP_BYTES = {"cpu": 2 << 20}
_ACCELERATOR_STRIP_BYTES = 64 << 20


@dataclasses.dataclass(frozen=True, eq=False)
class _Plan:
    """How the output rows are cut.

    Attributes:
        rows: output rows of a strip; the last strip may reach past the image.
        height: output rows of the image.
        extent: input rows that a strip needs.
        starts: (strips,) first of those input rows.
        maps: (strips, rows, extent) matrices from those input rows to the output
            rows; of logits that keep their size, (strips,) the first row's place.
        columns: the resize along the width, or None where the size is kept.
    """

    rows: int
    height: int
    extent: int
    starts: np.ndarray
    maps: np.ndarray
    columns: AxisTable | None


@functools.lru_cache(maxsize=256)
def _make_plan(in_size, size, align_corners, rows, double):
    strips = -(-size[0] // rows)
    if in_size == size:
        first = np.arange(strips, dtype=np.int32) * rows
        starts = np.minimum(first, size[0] - rows).astype(np.int32)
        return _Plan(rows, size[0], rows, starts, first - starts, None)
    table = linear_table(in_size[0], size[0], align_corners, None, double)
    first = table.index[::rows].min(axis=1)
    last = np.array(
        [table.index[i * rows : (i + 1) * rows].max() for i in range(strips)]
    )
    extent = int((last - first).max()) + 1
    starts = np.minimum(first, in_size[0] - extent).astype(np.int32)
    dense = np.zeros((strips * rows, in_size[0]))
    dense[: size[0]] = table.matrix
    maps = np.stack(
        [
            dense[i * rows : (i + 1) * rows, start : start + extent]
            for i, start in enumerate(starts)
        ]
    )
    columns = linear_table(in_size[1], size[1], align_corners, None, double)
    return _Plan(rows, size[0], extent, starts, maps, columns)


def _plan_for(x, size, align_corners):
    limit = _STRIP_BYTES.get(jax.default_backend(), _ACCELERATOR_STRIP_BYTES)
    row_bytes = x.shape[0] * size[1] * x.shape[3] * 4
    rows = int(np.clip(limit // row_bytes, 1, size[0]))
    double = x.dtype == jnp.float64
    return _make_plan(x.shape[1:3], tuple(size), align_corners, rows, double)


def _cut(plan, pixels):
    """What a loop runs over: start, map, which rows lie in the image, pixels.

    Of arrays (N, H, W) it makes (strips, N, rows, W).
    """
    strips = len(plan.starts)
    extra = strips * plan.rows - plan.height

    def cut(array):
        array = jnp.pad(array, ((0, 0), (0, extra), (0, 0)))
        array = array.reshape(array.shape[0], strips, plan.rows, array.shape[2])
        return jnp.moveaxis(array, 1, 0)

    row = np.arange(strips * plan.rows).reshape(strips, 1, plan.rows, 1)
    return plan.starts, plan.maps, row < plan.height, tuple(map(cut, pixels))


def _upsample(plan, source, strip_map):
    """The logits (N, rows, W, C) of a strip, float32 at least."""
    source = source.astype(_wide(source))
    if plan.columns is None:
        # Only the last strip has a place above 0: rows past the image are zero.
        padded = jnp.pad(source, ((0, 0), (0, plan.rows), (0, 0), (0, 0)))
        return jax.lax.dynamic_slice_in_dim(padded, strip_map, plan.rows, axis=1)
    wide = interpolate_axis(source, plan.columns, 2)
    batch, extent, width, channels = wide.shape
    # One plain product an image. As an einsum over four axes it is up to ten times
    # slower on a CPU. Accelerators would round its factors to 10 or 7 bits.
    product = jnp.matmul(
        strip_map.astype(wide.dtype),
        wide.reshape(batch, extent, width * channels),
        precision=jax.lax.Precision.HIGHEST,
    )
    return product.reshape(batch, plan.rows, width, channels)


def _wide(x):
    return jnp.promote_types(x.dtype, jnp.float32)


def _take(plan, x, start):
    return jax.lax.dynamic_slice_in_dim(x, start, plan.extent, axis=1)


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
    x = jax.lax.stop_gradient(x)
    plan = _plan_for(x, size, align_corners)

    def body(carry, strip):
        start, to_rows, _, pixels = strip
        return carry, fn(_upsample(plan, _take(plan, x, start), to_rows), *pixels)

    _, out = jax.lax.scan(body, None, _cut(plan, pixels))
    # (strips, N, rows, W, ...) -> (N, strips * rows, W, ...)
    out = jnp.moveaxis(out, 0, 1).reshape(x.shape[0], -1, *out.shape[3:])
    return out[:, : size[0]]


def strip_sums(
    fn: Callable[..., Any],
    x: jax.Array,
    size: tuple[int, int],
    align_corners: bool,
    pixels: tuple[jax.Array, ...],
    passes: int = 1,
) -> tuple[jax.Array, jax.Array]:
    """Sums over the pixels of bilinearly upsampled logits, with their gradient.

    Args:
        fn: (logits (N, rows, W, C) in float32, inside (1, rows, 1) bool,
            *pixels (N, rows, W)) -> (sums, counts); it must leave out rows that are
            not inside, and may not close over traced values.
        x: logits (N, h, w, C).
        size: (H, W) to upsample to.
        align_corners: of the upsampling.
        pixels: arrays (N, H, W) that fn gets beside the logits.
        passes: 1: the gradient of every sum is found together with its value, so
            each costs an array of x's size; for few sums (K,). 2: the strips are
            gone through once more when the cotangents of the sums are known; for
            sums of any number and shape that a loss is no linear function of.

    Returns:
        The total sums, differentiable by x, and the total counts.
    """
    if passes not in (1, 2):
        raise ValueError(f"strip_sums takes 1 or 2 passes, not {passes}")
    plan = _plan_for(x, size, align_corners)
    sums = _sums_in_one_pass if passes == 1 else _sums_in_two_passes
    return sums((fn, plan), x, pixels)


def _totals(static, x, pixels):
    fn, plan = static

    def body(carry, strip):
        start, to_rows, inside, pixels = strip
        logits = _upsample(plan, _take(plan, x, start), to_rows)
        return carry, fn(logits, inside, *pixels)

    _, (sums, counts) = jax.lax.scan(body, None, _cut(plan, pixels))
    return sums.sum(0), counts.sum(0)


def _gradients(static, x, pixels, cotangents_of):
    """Totals, and gradients (K, *x.shape) for K cotangents of every strip's sums."""
    fn, plan = static

    def body(gradients, strip):
        start, to_rows, inside, pixels = strip

        def sums_of(source):
            return fn(_upsample(plan, source, to_rows), inside, *pixels)

        source = _take(plan, x, start).astype(_wide(x))
        sums, pull, counts = jax.vjp(sums_of, source, has_aux=True)
        new = jnp.stack([pull(cotangent)[0] for cotangent in cotangents_of(sums)])
        old = jax.lax.dynamic_slice_in_dim(gradients, start, plan.extent, axis=2)
        new = old + new.astype(old.dtype)
        gradients = jax.lax.dynamic_update_slice_in_dim(gradients, new, start, axis=2)
        return gradients, (sums, counts)

    strips = _cut(plan, pixels)
    shapes = jax.eval_shape(lambda x: _totals(static, x, pixels)[0], x)
    number = len(cotangents_of(jnp.zeros(shapes.shape, shapes.dtype)))
    # Where strips share input rows their gradients are added, in float32.
    dtype = x.dtype if plan.columns is None else _wide(x)
    zeros = jnp.zeros_like(x, dtype, shape=(number, *x.shape))
    gradients, (sums, counts) = jax.lax.scan(body, zeros, strips)
    return (sums.sum(0), counts.sum(0)), gradients


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _sums_in_one_pass(static, x, pixels):
    return _totals(static, x, pixels)


def _forward_in_one_pass(static, x, pixels):
    def units(sums):
        return [jnp.zeros_like(sums).at[k].set(1) for k in range(len(sums))]

    totals, gradients = _gradients(static, x, pixels, units)
    # An empty array carries x's dtype.
    return totals, (gradients, x[:0])


def _backward_in_one_pass(static, saved, cotangents):
    del static
    gradients, like = saved
    factors = cotangents[0].astype(_wide(gradients))
    # Not a dot product: it would copy narrow gradients to float32 at full size.
    total = sum(f * g for f, g in zip(factors, gradients, strict=True))
    return total.astype(like.dtype), None


_sums_in_one_pass.defvjp(_forward_in_one_pass, _backward_in_one_pass)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _sums_in_two_passes(static, x, pixels):
    return _totals(static, x, pixels)


def _forward_in_two_passes(static, x, pixels):
    return _totals(static, x, pixels), (x, pixels)


def _backward_in_two_passes(static, saved, cotangents):
    x, pixels = saved
    _, gradients = _gradients(static, x, pixels, lambda sums: [cotangents[0]])
    return gradients[0].astype(x.dtype), None


_sums_in_two_passes.defvjp(_forward_in_two_passes, _backward_in_two_passes)

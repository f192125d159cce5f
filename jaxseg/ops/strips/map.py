"""Strip map: a value for every pixel of upsampled logits, without a gradient."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxseg.ops.strips.arrays import Arrays
from jaxseg.ops.strips.upsampled import Upsampled


def strip_map(
    fn: Callable[..., jax.Array], logits: Upsampled, *arrays: Any
) -> jax.Array:
    """Applies fn to upsampled logits strip by strip; not differentiable.

    Args:
        fn: (logits (N, rows, W, C) in float32 at least, *arrays) ->
            (N, rows, W, ...).
        logits: the logits.
        *arrays: pytrees of what fn gets beside the logits: of arrays (N, H, W, ...)
            the strip's rows, anything of fewer axes as it is.

    Returns:
        (N, H, W, ...).
    """
    given = Arrays.of(jax.lax.stop_gradient(arrays))

    def in_strips(plan, source, maps, constants):
        arrays = given.replaced((), constants)

        def body(carry, strip):
            start, to_rows, _, cut = strip
            x = plan.upsample(plan.take(source, start), to_rows)
            return carry, fn(x, *arrays.with_rows(cut))

        _, out = jax.lax.scan(body, None, plan.cut(maps))
        # (strips, N, rows, W, ...) -> (N, strips * rows, W, ...)
        out = jnp.moveaxis(out, 0, 1).reshape(source.shape[0], -1, *out.shape[3:])
        return out[:, : logits.size[0]]

    source = jax.lax.stop_gradient(logits.source)
    return logits.by_plan(in_strips, source, given.maps, given.constants)

"""Logits resized to sizes that differ from sample to sample, never at full size."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.ops.padded.sample_resize import interpolate_samples
from jaxseg.ops.platform import by_platform

Table = tuple[jax.Array, jax.Array]

# Bytes of a strip's float32 logits: within a core's cache, or an accelerator's.
_CPU_STRIP_BYTES = 1 << 20
_STRIP_BYTES = 64 << 20


def map_resized(
    fn: Callable[[jax.Array], Any],
    x: jax.Array,
    stages: Sequence[tuple[Table, Table]],
    rows: jax.Array,
    scores: Callable[[jax.Array, Any], jax.Array] = lambda maps, per_image: maps,
    per_image: Any = (),
) -> Any:
    """Applies fn to maps that are resized once or twice, strip by strip of rows.

    Args:
        fn: (N, rows, W, C) -> (N, rows, W, ...), one array or a tree of them.
        x: maps (N, h, w, c).
        stages: for each resize the tables of the rows and of the columns, as of
            `sample_resize.padded_table` with a leading axis over the samples.
        rows: (N,) rows of the result that count; what is past them is 0.
        scores: maps at the size of the first resize, (N, rows, W, c), and per_image
            -> (N, rows, W, C).
        per_image: arrays (N, ...).

    Returns:
        (N, H, W, ...), for tables of lengths H and W, one array or a tree of them.
    """
    (index, _), columns = stages[-1]
    height, width = index.shape[1], columns[0].shape[1]
    row_bytes = x.shape[0] * width * x.shape[3] * 4
    counts = [
        int(np.clip(limit // row_bytes, 1, height))
        for limit in (_CPU_STRIP_BYTES, _STRIP_BYTES)
    ]
    forms = (functools.partial(_in_strips, fn, scores, count) for count in counts)
    return by_platform(*forms, x, per_image, tuple(stages), rows)


def _in_strips(fn, scores, count, x, per_image, stages, rows):
    """As `map_resized`, for strips of `count` rows."""
    (index, weight), columns = stages[-1]
    height = index.shape[1]
    x = interpolate_samples(x, stages[0][1], 2)
    scored = functools.partial(scores, per_image=per_image)

    def strip(first):
        taps = tuple(
            jax.lax.dynamic_slice_in_dim(part, first, count, 1)
            for part in (index, weight)
        )
        if len(stages) == 1:
            return fn(scored(interpolate_samples(x, taps, 1)))
        return fn(_rows_of_second(x, stages[0][0], scored, taps, columns))

    def body(state):
        i, result = state
        # The last strip is moved back to the border.
        first = jnp.minimum(i * count, height - count)
        put = functools.partial(
            jax.lax.dynamic_update_slice_in_dim, start_index=first, axis=1
        )
        return i + 1, jax.tree.map(put, result, strip(first))

    needed = -(-jnp.max(rows) // count)
    result = jax.tree.map(
        lambda like: jnp.zeros((x.shape[0], height, *like.shape[2:]), like.dtype),
        jax.eval_shape(strip, 0),
    )
    state = (jnp.zeros_like(needed), result)
    return jax.lax.while_loop(lambda state: state[0] < needed, body, state)[1]


def _rows_of_second(x, rows, scored, taps, columns):
    """Rows of a resize of a resize, of which only those rows are made.

    Args:
        x: (N, h, W, C), resized along the width of the first.
        rows: table of the first one's rows.
        scored: applied between the two.
        taps: index and weight (N, n, taps) of the wanted rows of the second.
        columns: table of the second one's columns.
    """
    index, weight = taps
    samples, count, each = index.shape
    flat = index.reshape(samples, count * each)
    needed = tuple(
        jnp.take_along_axis(part, flat[..., None], axis=1, mode="clip") for part in rows
    )
    y = interpolate_samples(scored(interpolate_samples(x, needed, 1)), columns, 2)
    y = y.reshape(samples, count, each, *y.shape[2:])
    return sum(
        y[:, :, tap] * weight[:, :, tap, None, None].astype(y.dtype)
        for tap in range(each)
    )

"""Postprocessing: logits at the original size, as classes or numbers."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.inference.slide import stitch
from jaxseg.ops.padded.sample_resize import padded_table
from jaxseg.ops.strips.prediction import map_resized

Size = tuple[int, int]

_FLIP_AXES = {"horizontal": 1, "vertical": 0}


def flipped(image: np.ndarray, flip: str | None) -> np.ndarray:
    """An image (H, W, C), turned round as `flip` says, or as it is."""
    return image if flip is None else np.flip(image, _FLIP_AXES[flip])


def resize_tables(
    before: Size,
    after: Size,
    padded: Size,
    *,
    align_corners: bool,
    dtype: Any,
    flip: str | None = None,
) -> tuple[Any, Any]:
    """The tables of a bilinear resize along both axes.

    Args:
        before, after: (height, width).
        padded: (height, width) of the array that takes the result.
        align_corners: as of `ops.sample_resize.padded_table`.
        dtype: the data type of what is resized.
        flip: how the input is flipped before.
    """
    tables = []
    for axis in range(2):
        index, weight = padded_table(
            before[axis],
            after[axis],
            padded[axis],
            align_corners=align_corners,
            double=dtype == np.float64,
        )
        if flip is not None and _FLIP_AXES[flip] == axis:
            index = before[axis] - 1 - index
        tables.append((index, weight))
    return tuple(tables)


def resize_stages(
    chains: Sequence[Sequence[Size]],
    padded: Sequence[Size],
    flip: str | None = None,
    kept: Sequence[Size] | None = None,
    **how: Any,
) -> list[Any]:
    """The tables of the resizes of several images, one after the other.

    Args:
        chains: the sizes of each image, from the logits' to the result's.
        padded: for all but the first of those, the size of the array that takes it.
        flip: how the logits are flipped before the first; with `kept`, the last.
        kept: of each image, (height, width) of the top left part that goes into the
            last resize; None takes all.
        how: as of `resize_tables`.

    Returns:
        For each resize, tables with a leading axis over the images.
    """
    stages = []
    pairs = [list(itertools.pairwise(chain)) for chain in chains]
    if kept is not None:
        for pair, part in zip(pairs, kept, strict=True):
            pair[-1] = (part, pair[-1][1])
    turned = 0 if kept is None else len(padded) - 1
    for number, size in enumerate(padded):
        turn = flip if number == turned else None
        each = [resize_tables(*pair[number], size, flip=turn, **how) for pair in pairs]
        stages.append(stack(each))
    return stages


def stack(trees: Sequence[Any]) -> Any:
    """Trees of arrays as one, with a leading axis over them."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)


def finish(
    use: Callable[[jax.Array], Any],
    scores: Callable[[jax.Array, Any], jax.Array],
    source: Any,
    stages: Any,
    rows: jax.Array,
) -> Any:
    """From the network's logits to what is wanted at the original size.

    Args:
        use: (N, rows, W, C) logits -> (N, rows, W, ...), one array or a tree of them.
        scores: `Segmentor.scores`.
        source: dict of the maps `logits` (N, h, w, c) and of `per_image`, or of what
            `stitch` takes.
        stages: from `resize_stages`.
        rows: (N,) height of each result.

    Returns:
        (N, H, W, ...), 0 below each result, as `use` gives them.
    """
    if "corners" in source:
        return map_resized(use, stitch(scores, **source), stages, rows)
    maps, per_image = source["logits"], source["per_image"]
    return map_resized(use, maps, stages, rows, scores, per_image)


def probabilities(logits: jax.Array) -> jax.Array:
    """The sigmoid of one channel, the softmax of more."""
    one = logits.shape[-1] == 1
    return jax.nn.sigmoid(logits) if one else jax.nn.softmax(logits, axis=-1)


def confidence_of(
    values: jax.Array, pred: jax.Array, are_probabilities: bool = False
) -> jax.Array:
    """The probability of what is predicted.

    Args:
        values: logits or probabilities, (N, H, W, C).
        pred: `pick_classes` of them, (N, H, W).
        are_probabilities: whether values are.

    Returns:
        (N, H, W) float32; of one channel p where class 1 is predicted, else 1 - p.
    """
    p = (values if are_probabilities else probabilities(values)).astype(jnp.float32)
    if p.shape[-1] == 1:
        return jnp.where(pred == 1, p[..., 0], 1 - p[..., 0])
    return jnp.max(p, axis=-1)

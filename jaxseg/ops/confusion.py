"""Confusion matrix of label maps, counted on the device in exact integers.

MMSegmentation counts with `torch.histc` and sums areas in float32, which rounds above
2 ** 24 pixels; the counts here are integers and exact for any data set.

The matrix has C + 1 rows: rows 0 to C - 1 are the true classes, and row C holds the
pixels whose label is neither a class nor `ignore_index`. MMSegmentation leaves those out
of the areas of the labels, but counts what is predicted there, and so they make the
unions larger; the row keeps what that needs.
"""

import jax
import jax.numpy as jnp
import numpy as np


def confusion_matrix(
    pred: jax.Array, label: jax.Array, num_classes: int, ignore_index: int = 255
) -> jax.Array:
    """Counts the pixels of every pair of true and predicted class.

    Args:
        pred: Predicted classes, integers in [0, num_classes), of any shape; fewer than
            2 ** 31 pixels.
        label: True classes, integers, of the same shape.
        num_classes: C, the number of classes.
        ignore_index: Pixels with this label are not counted at all.

    Returns:
        int32 (C + 1, C), [label, pred].
    """
    if pred.shape != label.shape:
        raise ValueError(
            f"pred and label need one shape, found {pred.shape} and {label.shape}"
        )
    pred, label = pred.ravel().astype(jnp.int32), label.ravel().astype(jnp.int32)
    is_class = (label >= 0) & (label < num_classes)
    row = jnp.where(is_class, label, num_classes)
    counts = jnp.zeros((num_classes + 1, num_classes), jnp.int32)
    return counts.at[row, pred].add((label != ignore_index).astype(jnp.int32))


def empty_total(num_classes: int) -> np.ndarray:
    """A total of no images: uint32 (2, C + 1, C), the low and the high half.

    It is on the host: zeros made by JAX would be another program to compile.
    """
    return np.zeros((2, num_classes + 1, num_classes), np.uint32)


def add_to_total(total: jax.Array, counts: jax.Array) -> jax.Array:
    """Adds a confusion matrix to a total, on the device and without overflow.

    JAX has no 64-bit integers by default, so a total is kept in two 32-bit halves.

    Args:
        total: uint32 (2, C + 1, C), from `empty_total` or this function.
        counts: int32 (C + 1, C), non-negative.

    Returns:
        The new total.
    """
    low = total[0] + counts.astype(jnp.uint32)
    carry = (low < total[0]).astype(jnp.uint32)
    return jnp.stack([low, total[1] + carry])


def add_label_maps(
    total: jax.Array,
    preds: jax.Array,
    labels: jax.Array,
    is_sample: jax.Array,
    ignore_index: int = 255,
) -> jax.Array:
    """Adds the pixels of label maps to a total.

    Args:
        total: uint32 (2, C + 1, C).
        preds: Predicted classes, (N, H, W); fewer than 2 ** 31 pixels each.
        labels: True classes, (N, H, W).
        is_sample: (N,) bool, which of them count.
        ignore_index: As of `confusion_matrix`.

    Returns:
        The new total.
    """
    # One image at a time: a count of one image cannot overflow 32 bits.
    for pred, label, counts_too in zip(preds, labels, is_sample, strict=True):
        counts = confusion_matrix(pred, label, total.shape[-1], ignore_index)
        total = add_to_total(total, counts * counts_too)
    return total


def read_total(total: jax.Array) -> np.ndarray:
    """Fetches a total to the host: int64 (C + 1, C)."""
    low, high = np.asarray(total).astype(np.int64)
    return (high << 32) + low

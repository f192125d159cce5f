import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.ops.confusion import (
    add_to_total,
    confusion_matrix,
    empty_total,
    read_total,
)


def test_counts_rows_of_labels_and_columns_of_predictions():
    label = np.array([[0, 0, 1], [1, 255, 7]], np.uint8)
    pred = np.array([[0, 1, 1], [1, 0, 1]], np.int32)

    counts = confusion_matrix(pred, label, num_classes=2)

    # By hand; the label 7 is no class and falls into the last row, 255 into none.
    np.testing.assert_array_equal(counts, [[1, 1], [0, 2], [0, 1]])
    assert counts.dtype == jnp.int32


def test_ignore_index_may_be_a_class():
    label = np.array([0, 0, 1, 255])
    counts = confusion_matrix(np.array([0, 1, 1, 0]), label, 2, ignore_index=0)
    np.testing.assert_array_equal(counts, [[0, 0], [0, 1], [1, 0]])


def test_negative_labels_are_out_of_range():
    counts = confusion_matrix(np.array([1, 0]), np.array([-1, -2]), 2)
    np.testing.assert_array_equal(counts, [[0, 0], [0, 0], [1, 1]])


def test_equals_numpy_and_compiles_once():
    rng = np.random.default_rng(0)
    traces = []

    @jax.jit
    def count(pred, label):
        traces.append(1)
        return confusion_matrix(pred, label, 19)

    for _ in range(3):
        label = rng.integers(0, 19, (2, 40, 50)).astype(np.uint8)
        pred = rng.integers(0, 19, (2, 40, 50)).astype(np.int32)
        expected = np.zeros((20, 19), int)
        np.add.at(expected, (label, pred), 1)
        np.testing.assert_array_equal(count(pred, label), expected)
    assert len(traces) == 1


def test_total_is_exact_beyond_32_bits():
    big = 2**31 - 1
    counts = jnp.array([[big, 1], [0, 3], [0, 0]], jnp.int32)
    total = empty_total(2)
    for _ in range(5):
        total = jax.jit(add_to_total)(total, counts)

    result = read_total(total)
    assert result.dtype == np.int64
    np.testing.assert_array_equal(result, [[5 * big, 5], [0, 15], [0, 0]])


def test_shapes_have_to_agree():
    with pytest.raises(ValueError, match=r"found \(2, 2\) and \(4,\)"):
        confusion_matrix(np.zeros((2, 2), int), np.zeros(4, int), 2)

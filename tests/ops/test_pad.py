import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.ops.pad import pad_same, pad_zeros
from jaxseg.ops.padded.valid_size import NoMaskedForm, ValidSizes


@pytest.mark.parametrize(
    ("size", "window", "rows", "columns"),
    # What mmcv's Conv2dAdaptivePadding of stride 2 adds: above and below, left and right.
    [
        ((6, 7), 3, (0, 1), (1, 1)),
        ((5, 8), 5, (2, 2), (1, 2)),
        ((1, 4), 1, (0, 0), (0, 0)),
    ],
)
def test_the_odd_zero_stands_below_and_on_the_right(size, window, rows, columns):
    x = jnp.ones((1, *size, 2))
    found = pad_same(x, window, 2)
    np.testing.assert_array_equal(found, np.pad(x, ((0, 0), rows, columns, (0, 0))))
    assert all(
        (padded - window) // 2 + 1 == -(-n // 2)
        for padded, n in zip(found.shape[1:3], size, strict=True)
    )


def test_a_bucket_has_no_such_border():
    with pytest.raises(NoMaskedForm), ValidSizes((8, 8)).tracing(1):
        pad_same(jnp.ones((1, 8, 8, 1)), 3, 2)
    with pytest.raises(NoMaskedForm), ValidSizes((8, 8)).tracing(1):
        pad_zeros(jnp.ones((1, 8, 8, 1)), 1)


def test_zeros_on_four_sides():
    x = jnp.ones((1, 2, 3, 2))
    expected = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)))
    np.testing.assert_array_equal(pad_zeros(x, 2), expected)

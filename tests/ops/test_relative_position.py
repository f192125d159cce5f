import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.ops.relative_position import (
    relative_position_bias,
    relative_position_index,
)


def test_the_index_is_swins():
    # Of a window of 1x2 and one of 2x1: the table begins with the most negative offset
    # of the query from the key.
    assert relative_position_index((1, 2)).tolist() == [[1, 0], [2, 1]]
    assert relative_position_index((2, 1)).tolist() == [[1, 0], [2, 1]]
    # A place of 2x3 to the one right of it, and to the one below it.
    index = relative_position_index((2, 3))
    assert index.dtype == np.int64
    assert (index[0, 0], index[0, 1], index[0, 3]) == (7, 6, 2)


@pytest.mark.parametrize("window", [(1, 1), (2, 3)])
def test_biases_are_the_rows_that_the_index_says_without_looking_them_up(window):
    rows = (2 * window[0] - 1) * (2 * window[1] - 1)
    rng = np.random.default_rng(0)
    table = rng.standard_normal((rows, 2), np.float32)
    places = window[0] * window[1]
    weights = rng.standard_normal((2, places, places), np.float32)

    def looked_up(table):
        return jnp.moveaxis(table[relative_position_index(window)], -1, 0)

    def ours(table):
        return relative_position_bias(table, window)

    np.testing.assert_array_equal(ours(table), looked_up(table))
    gradients = [
        jax.grad(lambda t, form=form: (form(t) * weights).sum())(table)
        for form in (ours, looked_up)
    ]
    np.testing.assert_allclose(*gradients, rtol=0, atol=1e-5)
    text = jax.jit(jax.value_and_grad(lambda t: (ours(t) * weights).sum()))
    assert "scatter" not in text.lower(table).as_text()

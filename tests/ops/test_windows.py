import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.ops.windows import (
    from_windows,
    pad_to_windows,
    shifted_window_mask,
    to_windows,
)


def test_windows_go_row_by_row_and_back():
    x = jnp.arange(2 * 4 * 6).reshape(2, 4, 6, 1)
    windows = to_windows(x, 2)
    assert windows.shape == (2, 6, 4, 1)
    assert windows[0, 1, :, 0].tolist() == [2, 3, 8, 9]
    assert windows[0, 3, :, 0].tolist() == [12, 13, 18, 19]
    np.testing.assert_array_equal(from_windows(windows, (4, 6), 2), x)


def test_padding_is_right_and_below():
    x = pad_to_windows(jnp.ones((1, 3, 4, 1)), 2)
    assert x[0, :, :, 0].tolist() == [[1] * 4] * 3 + [[0] * 4]


@pytest.mark.parametrize(("size", "side", "shift"), [((5, 9), 3, 1), ((4, 4), 4, 2)])
def test_a_query_sees_those_that_were_its_neighbours(size, side, shift):
    padded = [length + -length % side for length in size]
    places = np.stack(np.meshgrid(*map(np.arange, padded), indexing="ij"), -1)
    rolled = np.roll(places, (-shift, -shift), (0, 1))
    (windows,) = to_windows(rolled[None], side)
    here = np.stack(np.divmod(np.arange(side * side), side), -1)
    offsets = [x[..., :, None, :] - x[..., None, :, :] for x in (windows, here)]
    (mask,) = shifted_window_mask(size, side, shift)
    np.testing.assert_array_equal(mask, (offsets[0] == offsets[1]).all(-1))

"""Mirror images within the part of a sample that is no padding."""

import jax
import numpy as np

from jaxseg.ops.flip import flip_within


def test_each_sample_by_its_own_size_and_direction():
    x = np.arange(1, 4 * 5 * 6 * 2 + 1).reshape(4, 5, 6, 2)
    shapes = np.array([[5, 6], [3, 4], [4, 6], [5, 1]])
    x[1, 3:] = x[1, :, 4:] = x[2, 4:] = x[3, :, 1:] = 0
    horizontal = np.array([True, True, False, True])
    vertical = np.array([False, True, True, False])
    expected = x.copy()
    expected[0] = x[0, :, ::-1]
    expected[1, :3, :4] = x[1, :3, :4][::-1, ::-1]
    expected[2, :4] = x[2, :4][::-1]
    found = jax.jit(flip_within)(x, shapes, horizontal, vertical)
    np.testing.assert_array_equal(found, expected)
    found = flip_within(x[..., 0], shapes, horizontal, vertical)
    np.testing.assert_array_equal(found, expected[..., 0])

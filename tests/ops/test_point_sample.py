"""Values between pixels: by hand, after torch's grid_sample with zeros outside."""

import jax.numpy as jnp
import numpy as np

from jaxseg.ops.point_sample import nearest_sample, point_sample, share_of_class

X = jnp.arange(6.0).reshape(1, 2, 3, 1)  # two rows, three columns


def values(*points, **how):
    return point_sample(X, jnp.array([points]), **how)[0, :, 0]


def test_centres_and_the_middle_between_them():
    centres = [((c + 0.5) / 3, (r + 0.5) / 2) for r in range(2) for c in range(3)]
    np.testing.assert_allclose(values(*centres), np.arange(6), atol=1e-6)
    np.testing.assert_allclose(values((1 / 3, 0.25), (1 / 3, 0.5)), [0.5, 2], atol=1e-6)


def test_outside_the_map_is_zero():
    # A corner of the image: a quarter of the corner's pixel, and nothing else.
    np.testing.assert_allclose(values((1, 1)), [5 / 4], atol=1e-6)


def test_corners_are_centres_with_align_corners():
    found = values((0, 0), (1, 0), (0, 1), (1, 1), (0.5, 0.5), align_corners=True)
    np.testing.assert_allclose(found, [0, 2, 3, 5, 2.5], atol=1e-6)


def test_the_nearest_pixel():
    label = jnp.array([[[7, 8, 9], [1, 2, 255]]], jnp.uint8)
    points = jnp.array([[(0.0, 0.0), (0.4, 0.2), (0.99, 0.99)]])
    found = nearest_sample(label, points)
    assert found.dtype == jnp.uint8
    np.testing.assert_array_equal(found, [[7, 8, 255]])


def test_the_share_of_a_class():
    label = jnp.array([[[0, 1, 1], [2, -1, 0]]])
    points = jnp.array([[(0.5, 0.25), (1 / 3, 0.5), (1.0, 1.0)]])
    found = share_of_class(label, points, jnp.arange(3))
    expected = [[0, 1, 0], [1 / 4, 1 / 4, 1 / 4], [1 / 4, 0, 0]]
    np.testing.assert_allclose(found[0], expected, atol=1e-6)
    of_one = share_of_class(label, points, jnp.array([[[1], [2], [0]]]))
    np.testing.assert_allclose(of_one[0, :, 0], [1, 1 / 4, 1 / 4], atol=1e-6)

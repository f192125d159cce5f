"""Windows of an image that are put together."""

import jax.numpy as jnp
import numpy as np

from jaxseg.inference.slide import stitch


def test_an_image_of_fewer_windows_has_no_scores_of_others():
    """Of two images with windows of 2x2 pixels, the second one has a single window."""
    one = jnp.ones((2, 2, 1))
    table = (jnp.array([[[0], [1]]] * 2, np.int32), jnp.ones((2, 2, 1)))
    found = stitch(
        lambda maps, per_image: maps + per_image[:, None, None],
        logits=jnp.array([[one, 3 * one], [5 * one, 0 * one]]),
        per_image=jnp.array([[[10.0], [20.0]], [[30.0], [40.0]]]),
        tables=(table, table),
        corners=jnp.array([[[0, 0], [0, 2]], [[0, 0], [0, 0]]]),
        number=jnp.array([2, 1]),
        covers=(jnp.ones((2, 2)), jnp.ones((2, 4))),
    )
    np.testing.assert_array_equal(found[0, :, :, 0], [[11, 11, 23, 23]] * 2)
    np.testing.assert_array_equal(found[1, :, :2, 0], [[35, 35]] * 2)

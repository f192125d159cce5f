"""The batch on which mmseg's own losses were computed."""

import jax.numpy as jnp
import numpy as np
import pytest


@pytest.fixture
def logits():
    """(2, 2, 3, 3) float32: two images of 2 x 3 pixels, three classes."""
    return jnp.asarray(np.round(2 * np.sin(np.arange(36.0)), 2).reshape(2, 2, 3, 3))


@pytest.fixture
def label():
    """(2, 2, 3) with two ignored pixels."""
    return jnp.array([[[0, 1, 2], [2, 255, 1]], [[1, 1, 0], [255, 0, 2]]], jnp.uint8)

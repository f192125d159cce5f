import jax
import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from jaxseg.ops.distance import squared_distance


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 0.995, 1.0])
def test_equals_scipy(share):
    # Of share 1 there is no background, and of 0.995 there are columns without any.
    foreground = np.random.default_rng(0).random((3, 17, 23)) < share
    found = jax.jit(squared_distance)(foreground)
    expected = np.stack([distance_transform_edt(mask) ** 2 for mask in foreground])
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_no_foreground():
    assert not squared_distance(np.zeros((1, 4, 5), bool)).any()

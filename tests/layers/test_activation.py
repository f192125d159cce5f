import math

import jax.numpy as jnp
import numpy as np

from jaxseg.layers.activation import GELU


def test_gelu_is_exact_and_keeps_the_type():
    x = np.linspace(-6, 6, 101, dtype=np.float32)
    expected = [0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x.tolist()]
    np.testing.assert_allclose(GELU()(x), expected, atol=1e-6)
    narrow = GELU()(jnp.asarray(x, jnp.bfloat16))
    assert narrow.dtype == jnp.bfloat16
    np.testing.assert_allclose(
        narrow.astype(jnp.float32), expected, rtol=1e-2, atol=1e-2
    )

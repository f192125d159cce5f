import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg import layers
from jaxseg.layers.activation import GELU, PReLU

VALUES = np.array([-4, -1, -0.5, 0, 0.5, 2, 7], np.float32)

# torch 2.13's functions of VALUES; HSigmoid and HSwish are its hardsigmoid and
# hardswish, ELU has alpha=0.5, LeakyReLU negative_slope=0.2.
EXPECTED = {
    "ReLU": [0, 0, 0, 0, 0.5, 2, 7],
    "ReLU6": [0, 0, 0, 0, 0.5, 2, 6],
    "ELU": [-0.4908422, -0.3160603, -0.1967347, 0, 0.5, 2, 7],
    "HSwish": [0, -0.3333333, -0.2083333, 0, 0.2916667, 1.6666666, 7],
    "SiLU": [-0.0719448, -0.2689414, -0.1887703, 0, 0.3112297, 1.7615941, 6.9936228],
    "HSigmoid": [0, 0.3333333, 0.4166667, 0.5, 0.5833333, 0.8333333, 1],
    "PReLU": [-1, -0.25, -0.125, 0, 0.5, 2, 7],
    "LeakyReLU": [-0.8, -0.2, -0.1, 0, 0.5, 2, 7],
    "Tanh": np.tanh(VALUES),
    "Sigmoid": 1 / (1 + np.exp(-VALUES)),
}
EXPECTED["Swish"] = EXPECTED["SiLU"]
OPTIONS = {"ELU": {"alpha": 0.5}, "LeakyReLU": {"negative_slope": 0.2}}


@pytest.mark.parametrize("name", EXPECTED)
def test_it_is_torchs_function(name):
    act = getattr(layers, name)(**OPTIONS.get(name, {}))(name="act")
    if name == "PReLU":
        act = act.bind({"params": {"slope": jnp.array([0.25])}})
    np.testing.assert_allclose(act(jnp.asarray(VALUES)), EXPECTED[name], atol=1e-6)


def test_a_slope_is_a_parameter_a_channel():
    act = PReLU(num_parameters=3, init=0.5)(name="act")
    x = -jnp.ones((1, 2, 2, 3))
    variables = act.init(jax.random.key(0), x)
    np.testing.assert_array_equal(variables["params"]["slope"], [0.5] * 3)
    variables = {"params": {"slope": jnp.array([0.0, 1.0, 2.0])}}
    np.testing.assert_array_equal(act.apply(variables, x)[0, 0, 0], [0, -1, -2])


def test_gelu_is_exact_and_keeps_the_type():
    x = np.linspace(-6, 6, 101, dtype=np.float32)
    gelu = GELU()(name="act")
    expected = [0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x.tolist()]
    np.testing.assert_allclose(gelu(x), expected, atol=1e-6)
    narrow = gelu(jnp.asarray(x, jnp.bfloat16))
    assert narrow.dtype == jnp.bfloat16
    np.testing.assert_allclose(
        narrow.astype(jnp.float32), expected, rtol=1e-2, atol=1e-2
    )

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from jaxseg.layers.data_axis import over_data_axis
from jaxseg.layers.dropout import Dropout, Dropout2d, DropPath

LAYERS = [Dropout, Dropout2d, DropPath]
X = jnp.ones((16, 4, 5, 6))


def drop(layer, x=X, seed=0):
    return layer.apply({}, x, True, rngs={"dropout": jax.random.key(seed)})


@pytest.mark.parametrize("layer", LAYERS)
def test_what_is_kept_is_scaled_up(layer):
    y = drop(layer(0.25))
    np.testing.assert_allclose(np.unique(y), [0, 4 / 3], rtol=1e-6)
    assert not np.array_equal(y, drop(layer(0.25), seed=1))


@pytest.mark.parametrize("layer", LAYERS)
def test_nothing_is_dropped_without_training_or_rate(layer):
    assert layer(0.5).apply({}, X, False) is X
    assert layer(0.0).apply({}, X, True) is X


def test_shares_and_shapes():
    x = jnp.ones((1000, 2, 2, 8))
    # Five standard deviations of 32000, 8000 and 1000 draws with probability 0.3.
    for layer, draws in ((Dropout, 32000), (Dropout2d, 8000), (DropPath, 1000)):
        dropped = np.asarray(drop(layer(0.3), x) == 0)
        assert abs(dropped.mean() - 0.3) < 5 * (0.3 * 0.7 / draws) ** 0.5
    channels = np.asarray(drop(Dropout2d(0.3), x) == 0)
    assert (channels == channels[:, :1, :1]).all()
    samples = np.asarray(drop(DropPath(0.3), x) == 0)
    assert (samples == samples[:, :1, :1, :1]).all()


@pytest.mark.parametrize("layer", LAYERS)
def test_the_draws_do_not_depend_on_the_number_of_devices(layer):
    def over(devices):
        mesh = jax.make_mesh(
            (devices,), ("data",), axis_types=(jax.sharding.AxisType.Auto,)
        )

        @jax.jit
        @functools.partial(
            jax.shard_map, mesh=mesh, in_specs=P("data"), out_specs=P("data")
        )
        def apply(x):
            with over_data_axis("data"):
                return drop(layer(0.5), x)

        return apply(X)

    expected = drop(layer(0.5))
    for devices in (1, 2, 8):
        np.testing.assert_array_equal(over(devices), expected)


def test_the_type_is_kept():
    assert drop(Dropout(0.5), X.astype(jnp.bfloat16)).dtype == jnp.bfloat16

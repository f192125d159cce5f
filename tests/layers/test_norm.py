import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from jaxseg.errors import ModelSizeError
from jaxseg.layers import BN, GN, IN, LN, SyncBN
from jaxseg.layers.data_axis import over_data_axis

# Two images of 1 x 2 pixels, two channels.
IMAGES = jnp.array([[[[1.0, 2.0], [3.0, -1.0]]], [[[0.0, 5.0], [8.0, 2.0]]]])


def test_training_equals_torch():
    norm = BN()("bn")
    variables = norm.init(jax.random.key(0), IMAGES, True)
    y, new = norm.apply(variables, IMAGES, True, mutable=["batch_stats"])
    # torch 2.13's BatchNorm2d: the output has the biased variance, the running one is
    # unbiased.
    expected = [
        [[[-0.6488853, 0.0], [0.0, -1.4142120]]],
        [[[-0.9733280, 1.4142120], [1.6222134, 0.0]]],
    ]
    np.testing.assert_allclose(y, expected, atol=1e-6)
    np.testing.assert_allclose(new["batch_stats"]["mean"], [0.3, 0.2], rtol=1e-6)
    np.testing.assert_allclose(new["batch_stats"]["var"], [2.1666667, 1.5], rtol=1e-6)


def test_evaluation_uses_the_running_statistics():
    norm = BN(eps=0.0)("bn")
    variables = {
        "params": {"scale": jnp.array([2.0, 1.0]), "bias": jnp.array([0.5, 0.0])},
        "batch_stats": {"mean": jnp.array([1.0, 2.0]), "var": jnp.array([4.0, 9.0])},
    }
    y = norm.apply(variables, IMAGES, False)
    # By hand: (x - 1) / 2 * 2 + 0.5 and (x - 2) / 3.
    np.testing.assert_allclose(y[0, 0], [[0.5, 0.0], [2.5, -1.0]], rtol=1e-6)


def test_momentum_is_the_weight_of_the_new_statistics():
    norm = BN(momentum=0.5)("bn")
    variables = norm.init(jax.random.key(0), IMAGES, True)
    _, new = norm.apply(variables, IMAGES, True, mutable=["batch_stats"])
    # By hand: half of the means 3 and 2.
    np.testing.assert_allclose(new["batch_stats"]["mean"], [1.5, 1.0])


def test_initialising_leaves_the_statistics():
    stats = BN()("bn").init(jax.random.key(0), IMAGES, True)["batch_stats"]
    np.testing.assert_array_equal(stats["mean"], 0)
    np.testing.assert_array_equal(stats["var"], 1)


def test_a_large_mean_does_not_cost_the_variance():
    x = 4096 + jax.random.normal(jax.random.key(0), (4, 8, 8, 3))
    norm = BN(momentum=1.0)("bn")
    variables = norm.init(jax.random.key(0), x, True)
    _, new = norm.apply(variables, x, True, mutable=["batch_stats"])
    expected = np.asarray(x, np.float64).var((0, 1, 2), ddof=1)
    np.testing.assert_allclose(new["batch_stats"]["var"], expected, rtol=1e-4)


def test_statistics_of_a_narrow_type_are_float32():
    x = (100 + jax.random.normal(jax.random.key(0), (4, 16, 16, 2))).astype("bfloat16")
    norm = BN(momentum=1.0)("bn")
    variables = norm.init(jax.random.key(0), x, True)
    y, new = norm.apply(variables, x, True, mutable=["batch_stats"])
    assert y.dtype == jnp.bfloat16
    mean = new["batch_stats"]["mean"]
    assert mean.dtype == jnp.float32
    np.testing.assert_allclose(mean, np.asarray(x, np.float64).mean((0, 1, 2)))


def over_devices(norm, devices, variables, x, weight):
    """Output, statistics, and gradients of the weighted sum, over so many devices."""
    mesh = jax.make_mesh(
        (devices,), ("data",), axis_types=(jax.sharding.AxisType.Auto,)
    )

    @functools.partial(
        jax.shard_map,
        mesh=mesh,
        in_specs=(P(), P("data")),
        # The statistics of a device in a row of their own.
        out_specs=(P("data"), P("data")),
    )
    def apply(variables, x):
        with over_data_axis("data"):
            y, new = norm.apply(variables, x, True, mutable=["batch_stats"])
        return y, jax.tree.map(lambda stat: stat[None], new["batch_stats"])

    def total(params, x):
        y, stats = apply(variables | {"params": params}, x)
        return (weight * y).sum(), (y, stats)

    gradients, (y, stats) = jax.jit(jax.grad(total, argnums=(0, 1), has_aux=True))(
        variables["params"], x
    )
    return y, stats, gradients


@pytest.mark.parametrize("mean", [0.0, 30.0])
def test_sync_bn_of_eight_devices_equals_one(mean):
    rng = np.random.default_rng(0)
    # The samples differ in mean and spread, so that a device knows too little.
    spread = np.linspace(0.2, 3, 16)[:, None, None, None]
    x = mean + spread * (rng.standard_normal((16, 3, 5, 4)) + spread)
    x = jnp.asarray(x, jnp.float32)
    weight = jnp.asarray(rng.standard_normal(x.shape), jnp.float32)
    norm = SyncBN()("bn")
    variables = norm.init(jax.random.key(0), x, True)
    expected = over_devices(norm, 1, variables, x, weight)
    found = over_devices(norm, 8, variables, x, weight)
    plain = norm.apply(variables, x, True, mutable=["batch_stats"])[0]
    np.testing.assert_allclose(expected[0], plain, atol=1e-5)
    np.testing.assert_allclose(found[0], expected[0], atol=2e-4)
    for stat in ("mean", "var"):
        assert found[1][stat].shape == (8, 4)
        same = np.broadcast_to(expected[1][stat], (8, 4))
        np.testing.assert_allclose(found[1][stat], same, rtol=1e-5)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3),
        found[2],
        expected[2],
    )


def test_bn_of_a_device_knows_its_own_part_alone():
    x = jnp.arange(16.0).reshape(8, 1, 2, 1)
    norm = BN()("bn")
    variables = norm.init(jax.random.key(0), x, True)
    y, stats, _ = over_devices(norm, 8, variables, x, jnp.ones_like(x))
    # By hand: each device has two values, one apart; 0.1 of their mean.
    np.testing.assert_allclose(y[:, 0, :, 0], [[-1, 1]] * 8, rtol=1e-4)
    means = 0.1 * (2 * np.arange(8) + 0.5)
    np.testing.assert_allclose(stats["mean"][:, 0], means, rtol=1e-5)


@pytest.mark.parametrize("devices", [1, 8])
def test_a_single_value_a_channel_has_no_variance_to_train_on(devices):
    x = jnp.arange(8.0).reshape(8, 1, 1, 1)[-devices:]
    variables = BN()("bn").init(jax.random.key(0), x, True)
    # torch's layer raises "Expected more than 1 value per channel when training".
    message = "batch norm would train on a single value a channel.* 2 images"
    with pytest.raises(ModelSizeError, match=message):
        over_devices(BN()("bn"), devices, variables, x, jnp.ones_like(x))
    BN()("bn").apply(variables, x, False)
    if devices == 8:  # of all devices together there are eight
        y, *_ = over_devices(SyncBN()("bn"), 8, variables, x, jnp.ones_like(x))
        assert np.std(y) > 0.9


def test_layer_norm_is_over_the_channels():
    norm = LN(eps=0.0)("ln")
    x = jnp.array([[1.0, 3.0], [10.0, -10.0]])
    variables = norm.init(jax.random.key(0), x, True)
    np.testing.assert_allclose(norm.apply(variables, x, True), [[-1, 1], [1, -1]])


def test_abbreviations_are_mmcvs():
    assert (BN().abbr, SyncBN().abbr, LN().abbr) == ("bn", "bn", "ln")


@pytest.mark.parametrize("norm", [IN(), GN(num_groups=4)])
def test_a_norm_over_a_single_value_is_refused(norm):
    x = jnp.ones((2, 1, 1, 4))
    with pytest.raises(ModelSizeError, match="over a single value, of a map of 1x1"):
        norm("norm").init(jax.random.key(0), x, False)
    norm("norm").init(jax.random.key(0), jnp.ones((1, 1, 2, 4)), False)

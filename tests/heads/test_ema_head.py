"""EMANet's bases: how they start, what training makes of them, what stays."""

import jax
import numpy as np
import pytest

from jaxseg.config import ConfigError
from tests.models.cases import build, maps, weights


def test_bases_have_length_1_and_follow_those_of_the_batch():
    head, inputs = build("EMAHead", dropout_ratio=0.0), maps("EMAHead")
    variables = head.init(jax.random.key(0), *inputs, False)
    start = variables["batch_stats"]["ema_module"]["bases"]
    assert start.shape == (1, 6, 4)
    np.testing.assert_allclose(np.linalg.norm(start, axis=1), 1, rtol=1e-5)

    def after(momentum):
        module = head.clone(momentum=momentum)
        _, new = module.apply(variables, *inputs, True, mutable=["batch_stats"])
        return new["batch_stats"]["ema_module"]["bases"]

    found = after(1.0)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(after(0.1), 0.9 * start + 0.1 * found, atol=1e-6)


def test_the_convolution_before_the_bases_is_frozen():
    head, inputs = build("EMAHead", dropout_ratio=0.0), maps("EMAHead")
    variables = weights(head, *inputs)

    def total(params):
        values = variables | {"params": params}
        y, _ = head.apply(values, *inputs, True, mutable=["batch_stats"])
        return (y**2).sum()

    gradients = jax.grad(total)(variables["params"])
    assert head.frozen_modules == ("ema_mid_conv",)
    assert not any(leaf.any() for leaf in jax.tree.leaves(gradients["ema_mid_conv"]))


def test_what_is_refused():
    with pytest.raises(ConfigError, match="EMAHead.num_stages: is 0, allowed: 1"):
        build("EMAHead", num_stages=0)

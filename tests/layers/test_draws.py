"""Random draws of heads."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.layers.draws import uniform


class Draws(nn.Module):
    train: bool

    @nn.compact
    def __call__(self, batch):
        return uniform(self, (batch, 3, 4), jnp.float32, self.train)


def test_evaluation_gives_every_image_the_same_numbers():
    found = np.asarray(Draws(False).apply({}, 2))
    np.testing.assert_array_equal(found[0], found[1])
    assert len(np.unique(found[0])) == 12
    with jax.default_prng_impl("rbg"):
        np.testing.assert_array_equal(Draws(False).apply({}, 1)[0], found[0])
    with jax.enable_x64(True):
        np.testing.assert_array_equal(Draws(False).apply({}, 1)[0], found[0])


def test_training_draws_by_the_key():
    one, other = (
        np.asarray(Draws(True).apply({}, 2, rngs={"sample": jax.random.key(seed)}))
        for seed in (0, 1)
    )
    assert len(np.unique(np.stack([one, other]))) == 48
    with pytest.raises(Exception, match="sample"):
        Draws(True).apply({}, 2)

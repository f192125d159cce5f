"""Which errors become sentences, and that a mistake in code is none of them."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg import registry as registry_module
from jaxseg.backbones import UNet
from jaxseg.config import ConfigError
from jaxseg.errors import FieldError, JaxsegError, ModelSizeError
from jaxseg.heads import FCNHead
from jaxseg.inference.bands import BandPredictor
from jaxseg.inference.predictor import Predictor
from jaxseg.registry import register
from jaxseg.resolve import build, resolve
from jaxseg.segmentors.init_variables import init_variables
from tests.tiny import get_config

SIDE = 32


class BrokenHead(FCNHead, kw_only=True):
    """Its author counted wrongly."""

    takes_padding = takes_bands = True

    @nn.compact
    def __call__(self, inputs, train):
        if inputs[0].shape[1] > 2:  # at the size of `init` it works
            a, b = 1, 2, 3  # noqa: F841
        return super().__call__(inputs, train)


@pytest.fixture
def registry(monkeypatch):
    """A registry that forgets what a test adds."""
    monkeypatch.setattr(registry_module, "_registered", {})


def segmentor(**changes):
    model = get_config("")["model"]
    return resolve(model | changes, "model")


def broken(registry):
    register(BrokenHead)
    head = get_config("")["model"]["decode_head"]
    return segmentor(decode_head={**head, "type": "BrokenHead"})


def images(side):
    return np.zeros((1, side, side, 3), np.uint8)


TOO_MANY = "too many values to unpack"


def test_a_mistake_in_a_head_is_shown_as_it_is(registry):
    model = broken(registry)
    with pytest.raises(ValueError, match=TOO_MANY) as raised:
        init_variables(model, 0, 3, (SIDE, SIDE))
    assert not isinstance(raised.value, JaxsegError)

    variables = jax.eval_shape(lambda: init_variables(model, 0, 3, (8, 8)))
    variables = jax.tree.map(lambda leaf: jnp.ones(leaf.shape), variables)
    for predictor in (
        Predictor(model, jax.devices()[:1]),
        BandPredictor(model, jax.devices()[:2]),
    ):
        on_device = predictor.put_variables(variables)
        with pytest.raises(ValueError, match=TOO_MANY) as raised:
            predictor.label_maps(on_device, images(SIDE), (SIDE, SIDE))
        assert not isinstance(raised.value, JaxsegError)


def test_a_mistake_in_a_head_is_no_size_that_it_does_not_take(registry, monkeypatch):
    monkeypatch.setattr(BrokenHead, "__module__", "jaxseg.heads.broken")
    model = broken(registry)
    variables = jax.eval_shape(lambda: init_variables(model, 0, 3, (8, 8)))
    predictor = Predictor(model, jax.devices()[:1])
    sizes = {((side, side), (side, side)): 1 for side in range(32, 128, 4)}
    with pytest.raises(ValueError, match=TOO_MANY):
        predictor.plan(variables, sizes)


def test_a_size_that_the_model_does_not_take_is_a_sentence():
    model = segmentor()
    variables = jax.eval_shape(lambda: init_variables(model, 0, 3, (8, 8)))
    with pytest.raises(ModelSizeError, match="sizes that 4 divides"):
        jax.eval_shape(model.apply, variables, jnp.zeros((1, 10, 8, 3)))
    with pytest.raises(ConfigError, match=r"^model: the image is 10 x 8 .*4 divides"):
        init_variables(model, 0, 3, (10, 8))


def test_a_users_own_checks_and_mistakes_at_construction():
    @dataclasses.dataclass(frozen=True)
    class Entry:
        rate: float
        mistake: bool = False

        def __post_init__(self):
            if self.mistake:
                int("three")
            if self.rate > 1:
                raise FieldError(f"rate: is {self.rate}, allowed: up to 1")

    with pytest.raises(ConfigError, match=r"^model.x.rate: is 2.0, allowed: up to 1$"):
        build(Entry, {"rate": 2.0}, "model.x")
    with pytest.raises(ValueError, match="invalid literal") as raised:
        build(Entry, {"rate": 0.5, "mistake": True}, "model.x")
    assert not isinstance(raised.value, JaxsegError)


def test_the_checks_of_the_packages_own_classes_are_typed():
    with pytest.raises(FieldError, match="which needs 5 entries for num_stages=5"):
        UNet(strides=(1, 1))

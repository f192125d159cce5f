"""A head whose logits are made of its maps at the image's size, as masks' are."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.heads import FCNHead
from jaxseg.inference.predictor import Predictor
from jaxseg.ops.resize import resize
from jaxseg.registry import register
from jaxseg.resolve import resolve_model
from tests.tiny import get_config

SIDE, CLASSES, MASKS = 24, 4, 6


class MaskHead(FCNHead, kw_only=True):
    """Masks, and what classes each of them holds in this image."""

    @nn.compact
    def __call__(self, inputs, train):
        x = self.transform_inputs(inputs)
        kernel = self.param("kernel", nn.initializers.normal(1), (4, MASKS * CLASSES))
        held = (x.mean((1, 2)) @ kernel).reshape(-1, MASKS, CLASSES)
        return {"masks": nn.Conv(MASKS, (3, 3), name="masks")(x), "held": held}

    def logits(self, outputs):
        return outputs["masks"]

    def per_image(self, outputs):
        return {"held": outputs["held"]}

    def scores(self, maps, per_image):
        held = jax.nn.softmax(per_image["held"], axis=-1)
        return jnp.einsum("nhwq,nqk->nhwk", jax.nn.sigmoid(maps), held)


@pytest.fixture
def make(monkeypatch):
    monkeypatch.setattr("jaxseg.registry._registered", {})
    register(MaskHead)

    def make(**test_cfg):
        model = get_config("")["model"]
        model["decode_head"] |= dict(type="MaskHead")
        return resolve_model(model | dict(test_cfg=test_cfg))

    return make


@functools.cache
def image():
    return np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 3), np.uint8)


def variables_of(model):
    return jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, SIDE, SIDE, 3)))


def expected(model, variables, pixels):
    """mmseg's: the scores at the size of the image or window."""
    x = model.data_preprocessor(jnp.asarray(pixels))
    return model.apply(variables, x, method="encode_decode")


@pytest.mark.parametrize("size", [(SIDE, SIDE), (37, 20)])
def test_whole_images_at_their_own_size_and_at_another(make, size):
    model = make(mode="whole")
    variables = variables_of(model)
    predictor = Predictor(model, jax.devices()[:1])
    given = predictor.put_variables(variables)
    want = resize(expected(model, variables, image()), size)
    got = predictor.logits(given, image(), size)
    assert got.shape == (1, *size, CLASSES)
    np.testing.assert_allclose(got, want, atol=1e-5)
    label_map = predictor.label_maps(given, image(), size)
    assert (label_map == np.argmax(want, -1)).mean() > 0.99


def test_windows_are_scored_one_by_one(make):
    model = make(mode="slide", crop_size=[16, 16], stride=[8, 8])
    variables = variables_of(model)
    predictor = Predictor(model, jax.devices()[:1])
    got = predictor.logits(predictor.put_variables(variables), image(), (SIDE, SIDE))
    total = np.zeros((SIDE, SIDE, CLASSES))
    count = np.zeros((SIDE, SIDE, 1))
    for top in (0, 8):
        for left in (0, 8):
            at = (slice(top, top + 16), slice(left, left + 16))
            total[at] += expected(model, variables, image()[:, *at])[0]
            count[at] += 1
    np.testing.assert_allclose(got[0], total / count, atol=1e-5)

"""Parts of a model: names of children in tuples, and what training leaves alone."""

from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from jaxseg.layers.norm import BN
from jaxseg.weights.part import Part, config_path, frozen_keys, parts
from jaxseg.weights.pretrained import Pretrained
from jaxseg.weights.state_dict import torch_shapes


class Layer(Part):
    channels: int
    norm_cfg: Any = None
    children: tuple[nn.Module, ...] = ()

    @nn.compact
    def __call__(self, x, train):
        x = nn.Dense(self.channels, name="fc")(x)
        if self.norm_cfg is not None:
            x = self.norm_cfg(name="bn")(x, train)
        for child in self.children:
            x = child(x, train)
        return x


class FrozenNeck(Layer):
    frozen_modules = ("",)


class Model(Part):
    backbone: nn.Module
    neck: nn.Module
    heads: tuple[nn.Module, ...]

    def __call__(self, x):
        x = self.neck(self.backbone(x, False), False)
        return [head(x, False) for head in self.heads]


FIXED = BN(requires_grad=False)
MODEL = Model(
    Layer(3, FIXED),
    FrozenNeck(3),
    (Layer(2), Layer(2, FIXED, (Layer(4, BN()), Layer(1), Layer(1, FIXED)))),
)


@pytest.fixture(scope="module")
def variables():
    return jax.eval_shape(MODEL.init, jax.random.key(0), jnp.ones((1, 1, 1, 3)))


def test_children_of_a_tuple_are_named_as_in_a_module_list(variables):
    shapes = torch_shapes(variables)
    assert shapes["heads.0.fc.weight"] == (2, 3)
    assert shapes["heads.1.children.0.bn.running_var"] == (4,)
    assert shapes["heads.1.children.2.fc.weight"] == (1, 1)
    assert {key.split(".")[0] for key in shapes} == {"backbone", "neck", "heads"}


def test_a_model_that_is_bound_and_unbound_keeps_the_names():
    variables = MODEL.init(jax.random.key(0), jnp.ones((1, 1, 1, 3)))
    whole = MODEL.apply(variables, jnp.ones((1, 1, 1, 3)))
    bound = MODEL.bind(variables)
    assert bound.heads[1].children[0].path == ("heads.1", "children.0")
    free, unbound = bound.unbind()
    assert jax.tree.structure(unbound) == jax.tree.structure(variables)
    again = free.apply(unbound, jnp.ones((1, 1, 1, 3)))
    assert all((a == b).all() for a, b in zip(whole, again, strict=True))


class Wrapper(Part):
    inner_cfg: tuple[nn.Module, ...]
    last_cfg: nn.Module

    child_keys: ClassVar = {"inner_cfg": "inner", "last_cfg": "path.last"}

    @nn.compact
    def __call__(self, x):
        for child in (*self.inner_cfg, self.last_cfg):
            x = child(x, False)
        return x, self.inner_cfg[1].config_path


def test_the_key_of_a_field_may_differ_from_its_name():
    # A module that another one had has its name, and gets the new one.
    used = Model(Layer(3), Layer(3), (Layer(1),)).backbone
    model = Model(Wrapper((used, Layer(2)), Layer(1)), Layer(1), ())
    assert list(parts(model)) == [
        *("", "backbone", "backbone.inner.0", "backbone.inner.1", "backbone.path.last"),
        "neck",
    ]
    wrapper = model.backbone
    shapes = torch_shapes(
        jax.eval_shape(
            lambda x: {"params": wrapper.init(jax.random.key(0), x)["params"]},
            jnp.ones((1, 1, 1, 3)),
        )
    )
    assert {key.rpartition(".")[0] for key in shapes} == {
        *("inner.0.fc", "inner.1.fc", "path.last.fc"),
    }
    assert config_path("backbone.inner.1", model) == "model.backbone.inner_cfg.1"
    assert config_path("backbone.path.last", model) == "model.backbone.last_cfg"
    variables = wrapper.init(jax.random.key(0), jnp.ones((1, 1, 1, 3)))
    assert wrapper.apply(variables, jnp.ones((1, 1, 1, 3)))[1] == "model.inner_cfg.1"


def test_every_part_has_its_key():
    found = parts(MODEL)
    assert list(found) == [
        "",
        "backbone",
        "neck",
        "heads.0",
        "heads.1",
        "heads.1.children.0",
        "heads.1.children.1",
        "heads.1.children.2",
    ]
    assert found["heads.1.children.0"].channels == 4


def test_frozen_modules_and_norms_of_any_part(variables):
    assert set(frozen_keys(MODEL, variables["params"])) == {
        "neck",
        "backbone.bn.weight",
        "backbone.bn.bias",
        "heads.1.bn.weight",
        "heads.1.bn.bias",
        # heads.1.children.0 has a norm_cfg of its own, which learns.
        "heads.1.children.2.bn.weight",
        "heads.1.children.2.bn.bias",
    }


def test_what_init_cfg_may_be():
    assert Layer(1, init_cfg=Pretrained("a.pth")).init_cfg.prefix is None
    with pytest.raises(ValueError, match="init_cfg: is 3, allowed: None, or dict"):
        Layer(1, init_cfg=3)
    with pytest.raises(ValueError, match="prefix: is 3, allowed: a text"):
        Pretrained("a.pth", 3)

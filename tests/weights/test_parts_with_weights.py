"""Buffers, converted weights, and starting weights of several parts of one model."""

import copy
import functools
import logging

import jax
import numpy as np
import pytest

from jaxseg import registry as registry_module
from jaxseg.config import ConfigError
from jaxseg.inference.convert import convert_checkpoint
from jaxseg.inference.loaded import fresh_variables
from jaxseg.registry import register
from jaxseg.resolve import resolve
from jaxseg.weights.files.weights_file import read_weights, write_weights
from jaxseg.weights.key_table import KeyTable
from jaxseg.weights.load import LoadError, read_checkpoint
from jaxseg.weights.starting_weights import (
    find_starting_weights,
    pretrained_parts,
    starting_weights,
)
from jaxseg.weights.state_dict import to_state_dict

from . import window_model as wm


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    monkeypatch.setattr(registry_module, "_registered", {})
    for cls in wm.CLASSES:
        register(cls)


def config_with(changes):
    """The config with entries of `model` changed: {'neck': {...}}."""
    config = copy.deepcopy(wm.CONFIG)
    for part, values in changes.items():
        config["model"][part].update(values)
    return config


@functools.cache
def fresh():
    model = resolve(wm.CONFIG["model"], "model")
    return fresh_variables(wm.CONFIG, model, abstract=False)


def start(config):
    model = resolve(config["model"], "model")
    return to_state_dict(starting_weights(config, model, fresh())), model


def below(weights, part):
    return {
        k.removeprefix(f"{part}."): a
        for k, a in weights.items()
        if k.startswith(f"{part}.")
    }


def assert_same(found, expected):
    for key, array in expected.items():
        np.testing.assert_array_equal(found[key], array, key)


def assert_same_file(path, weights):
    back = read_weights(path).state_dict
    assert list(back) == list(weights)
    for key, array in weights.items():
        assert back[key].dtype == array.dtype and back[key].shape == array.shape, key
        assert back[key].tobytes() == np.asarray(array).tobytes(), key


def test_a_file_of_mmseg_comes_back_bit_for_bit(tmp_path):
    weights = wm.draw(wm.SHAPES)
    write_weights(tmp_path / "a.pth", weights, {"iter": 3})
    convert_checkpoint(wm.CONFIG, tmp_path / "a.pth", tmp_path / "ours")
    ours = read_checkpoint(tmp_path / "ours").state_dict
    np.testing.assert_array_equal(
        ours["backbone.attn.k.weight"], weights["backbone.attn.qkv.weight"][4:8]
    )
    assert "backbone.attn.qkv.weight" not in ours
    convert_checkpoint(None, tmp_path / "ours", tmp_path / "back.pth")
    assert_same_file(tmp_path / "back.pth", weights)
    # And once more, without the folder between.
    convert_checkpoint(wm.CONFIG, tmp_path / "back.pth", tmp_path / "again.npz")
    convert_checkpoint(wm.CONFIG, tmp_path / "again.npz", tmp_path / "third.pth")
    assert_same_file(tmp_path / "third.pth", weights)


def test_a_buffer_that_a_file_lacks_is_made_for_mmseg(tmp_path):
    key = f"backbone.{wm.INDEX}"
    weights = wm.draw(wm.SHAPES)
    published = {k: a for k, a in weights.items() if k != key}
    write_weights(tmp_path / "a.pth", published, {})
    convert_checkpoint(wm.CONFIG, tmp_path / "a.pth", tmp_path / "back.pth")
    back = read_weights(tmp_path / "back.pth").state_dict
    assert back[key].dtype == np.int64
    assert_same(back, weights)


def test_a_buffer_of_another_config_is_an_error(tmp_path):
    weights = wm.draw(wm.SHAPES)
    other = weights[f"backbone.{wm.INDEX}"].T.copy()
    write_weights(tmp_path / "a.pth", weights | {f"backbone.{wm.INDEX}": other}, {})
    with pytest.raises(LoadError, match=f"another table: backbone.{wm.INDEX} has"):
        convert_checkpoint(wm.CONFIG, tmp_path / "a.pth", tmp_path / "back.pth")
    write_weights(tmp_path / "a.pth", weights | {f"backbone.{wm.INDEX}": other[:3]}, {})
    with pytest.raises(LoadError, match=r"misshapen: .*index is \(3, 4\), the model"):
        convert_checkpoint(wm.CONFIG, tmp_path / "a.pth", tmp_path / "back.pth")


def test_what_cannot_be_converted_is_listed(tmp_path):
    weights = wm.draw(wm.SHAPES) | {"backbone.attn.qkv.bias": np.zeros(11, np.float32)}
    write_weights(tmp_path / "a.pth", weights, {})
    with pytest.raises(LoadError) as error:
        convert_checkpoint(wm.CONFIG, tmp_path / "a.pth", tmp_path / "back.pth")
    assert str(error.value).splitlines()[1:] == [
        "  missing: backbone.attn.k.bias",
        "  missing: backbone.attn.q.bias",
        "  missing: backbone.attn.v.bias",
        "  unexpected: backbone.attn.qkv.bias",
    ]


def published(weights):
    """The backbone's weights as another repository has them."""
    named = {
        k.replace("stem.", "patch_embed.proj."): a
        for k, a in below(weights, "backbone").items()
    }
    return named | {"head.weight": np.zeros((5, 4), np.float32)}


def test_two_parts_start_from_two_files(tmp_path, caplog):
    caplog.set_level(logging.INFO, "jaxseg")
    first, second = wm.draw(wm.SHAPES, 1), wm.draw(wm.SHAPES, 2)
    write_weights(tmp_path / "backbone.pth", published(first), {})
    write_weights(tmp_path / "whole.pth", second, {})
    neck = {"type": "Pretrained", "checkpoint": str(tmp_path / "whole.pth")}
    config = config_with({"neck": {"init_cfg": neck}})
    config["model"]["pretrained"] = str(tmp_path / "backbone.pth")
    started, _ = start(config)
    qkv = [started[f"backbone.attn.{name}.weight"] for name in "qkv"]
    np.testing.assert_array_equal(
        np.concatenate(qkv), first["backbone.attn.qkv.weight"]
    )
    np.testing.assert_array_equal(
        started["backbone.stem.weight"], first["backbone.stem.weight"]
    )
    assert_same(below(started, "neck"), below(second, "neck"))
    unchanged = below(to_state_dict(fresh()), "decode_head")
    assert_same(below(started, "decode_head"), unchanged)
    assert "model.neck: starts from" in caplog.text
    assert "not used: head.weight" in caplog.text


def test_a_head_in_a_list_and_a_prefix(tmp_path):
    weights = wm.draw(wm.SHAPES, 3)
    head = {f"module.old.{k}": a for k, a in below(weights, "auxiliary_head.0").items()}
    write_weights(tmp_path / "a.pth", head | {"x": np.zeros(1, np.float32)}, {})
    config = copy.deepcopy(wm.CONFIG)
    config["model"]["auxiliary_head"][0]["init_cfg"] = {
        "type": "Pretrained",
        "checkpoint": str(tmp_path / "a.pth"),
        "prefix": "module.old.",
    }
    started, _ = start(config)
    assert_same(below(started, "auxiliary_head.0"), below(weights, "auxiliary_head.0"))


def test_the_outermost_part_alone_is_read(tmp_path, caplog):
    caplog.set_level(logging.INFO, "jaxseg")
    weights = wm.draw(wm.SHAPES, 4)
    write_weights(tmp_path / "a.pth", weights, {})
    whole = {"type": "Pretrained", "checkpoint": str(tmp_path / "a.pth")}
    config = config_with({"neck": {"init_cfg": {**whole, "checkpoint": "none.pth"}}})
    config["model"]["init_cfg"] = whole
    started, model = start(config)
    assert list(pretrained_parts(model)) == [""]
    assert_same(below(started, "neck"), below(weights, "neck"))
    assert "model.neck.init_cfg is not read: model has one" in caplog.text


def test_every_file_is_looked_for_at_the_start():
    entry = {"type": "Pretrained", "checkpoint": "no_neck.pth"}
    config = config_with({"neck": {"init_cfg": entry}})
    model = resolve(config["model"], "model")
    with pytest.raises(LoadError, match="no_neck.pth: there is no such file"):
        find_starting_weights(config, model)
    with pytest.raises(
        ConfigError, match="model.backbone, .* starts fresh; model.neck"
    ):
        starting_weights({**config, "adapt_in_channels": True}, model, {})


def test_two_words_for_the_backbone_are_refused():
    entry = {"type": "Pretrained", "checkpoint": "a.pth"}
    config = config_with({"backbone": {"init_cfg": entry}})
    config["model"]["pretrained"] = "b.pth"
    with pytest.raises(ConfigError, match="model.pretrained and model.backbone.init_"):
        pretrained_parts(resolve(config["model"], "model"))


def test_a_frozen_neck():
    model = resolve(wm.CONFIG["model"], "model")
    assert model.frozen_keys(fresh()["params"]) == ("neck",)


def test_a_model_is_the_same_before_and_after(tmp_path):
    weights = wm.draw(wm.SHAPES, 5)
    write_weights(tmp_path / "a.pth", weights, {})
    config = {**wm.CONFIG, "load_from": str(tmp_path / "a.pth")}
    model = resolve(config["model"], "model")
    variables = starting_weights(config, model, fresh())
    convert_checkpoint(wm.CONFIG, tmp_path / "a.pth", tmp_path / "ours")
    config["load_from"] = str(tmp_path / "ours")
    again = starting_weights(config, model, variables)
    assert jax.tree.all(jax.tree.map(np.array_equal, variables, again))


def test_a_table_converts_both_ways_or_one():
    with pytest.raises(ValueError, match="convert_back needs convert"):
        KeyTable(convert_back=lambda weights, part: weights)

"""Folders of Hugging Face's: what makes one whole, and what the errors say."""

import json
import pathlib

import jax
import numpy as np
import pytest

from jaxseg.inference.convert import convert_checkpoint
from jaxseg.inference.loaded import build_segmentor, load_model
from jaxseg.resolve import resolve_model
from jaxseg.segmentors.init_variables import init_variables
from jaxseg.weights.files.weights_file import write_weights
from jaxseg.weights.load import LoadError, read_checkpoint
from jaxseg.weights.load_pretrained import load_pretrained
from jaxseg.weights.pretrained import Pretrained
from jaxseg.weights.starting_weights import load_from
from jaxseg.weights.state_dict import to_state_dict
from tests.weights.huggingface.drawn import drawn_weights
from tests.weights.huggingface.test_cases import write_folder

CASE = pathlib.Path(__file__).with_name("segformer.npz")


@pytest.fixture
def folder(tmp_path):
    write_folder(tmp_path, np.load(CASE))
    return tmp_path


def change(folder, name="config.json", **fields):
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_a_folder_brings_config_weights_and_classes(folder):
    checkpoint = read_checkpoint(folder)
    assert checkpoint.meta["classes"] == ["sky", "road", "tree", "car", "dog"]
    assert checkpoint.config["model"]["decode_head"]["num_classes"] == 5
    assert "backbone.layers.0.1.0.attn.attn.in_proj_weight" in checkpoint.weights


def test_a_config_without_model_takes_the_folders(folder):
    config = {"val_dataloader": {"dataset": {"pipeline": []}}}
    config, segmentor = build_segmentor(config, read_checkpoint(folder))
    assert config["val_dataloader"]["dataset"]["pipeline"] == []
    assert segmentor.num_classes == 5


def test_the_folder_alone_is_a_model_with_its_pipeline(folder):
    size = {"height": 32, "width": 64}
    change(folder, "preprocessor_config.json", do_resize=True, size=size)
    model = load_model(folder)
    picture = np.zeros((20, 30, 3), np.uint8)
    assert model.load_image(picture)["img"].shape == (32, 64, 3)


def test_a_folder_is_converted_as_any_checkpoint(folder, tmp_path):
    lines = convert_checkpoint(None, folder, tmp_path / "run")
    assert "step 0" in lines[-1]
    assert load_model(tmp_path / "run").classes[0] == "sky"


def test_a_training_starts_from_a_folder(folder):
    """Of all of it, with fresh classifiers of other classes, or of the backbone."""
    config = read_checkpoint(folder).config["model"]
    head = config["decode_head"] | {"num_classes": 3}
    model = resolve_model(config | {"decode_head": head})
    shapes = jax.eval_shape(lambda: init_variables(model, 0, 3, (64, 64)))
    zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    weights = read_checkpoint(folder).weights
    whole = to_state_dict(load_from(str(folder), zeros, model))
    pretrained = Pretrained(str(folder))
    part = to_state_dict(load_pretrained("backbone", pretrained, zeros, model))
    for key, array in whole.items():
        theirs = 0 if "conv_seg" in key else weights[key]
        np.testing.assert_array_equal(array, theirs, key)
        theirs = theirs if key.startswith("backbone.") else 0
        np.testing.assert_array_equal(part[key], theirs, key)


def test_weights_come_in_pieces(folder):
    weights = drawn_weights(json.loads(str(np.load(CASE)["shapes"])))
    whole = read_checkpoint(folder).weights
    (folder / "model.safetensors").unlink()
    names = {key: f"model-{len(key) % 2}.safetensors" for key in weights}
    for name in set(names.values()):
        piece = {key: a for key, a in weights.items() if names[key] == name}
        write_weights(folder / name, piece, {})
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": names}))
    pieces = read_checkpoint(folder).weights
    assert pieces.keys() == whole.keys()
    index.write_text(json.dumps({"weight_map": {"a": "../model.safetensors"}}))
    with pytest.raises(LoadError, match="no file beside it"):
        read_checkpoint(folder)


def test_without_config_json_it_says_so(folder):
    (folder / "config.json").unlink()
    with pytest.raises(LoadError, match=r"has weights and no config\.json"):
        read_checkpoint(folder)


def test_without_a_preprocessor_the_weights_are_there_and_no_config(folder):
    (folder / "preprocessor_config.json").unlink()
    assert read_checkpoint(folder).weights
    with pytest.raises(LoadError, match=r"no preprocessor_config\.json.*give a config"):
        load_model(None, folder)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"architectures": ["SegformerForSemanticSegmentatoin"]},
            "did you mean 'SegformerForSemanticSegmentation'",
        ),
        ({"architectures": ["GPT"], "model_type": "gpt"}, "backbones of the types"),
        (
            {"depths": "two"},
            r"depths is 'two', allowed: a value such as \[2, 2, 2, 2\]",
        ),
        ({"depths": [1, True, 1, 1]}, "depths is"),
        ({"hidden_act": "relu"}, "hidden_act is 'relu', and jaxseg has"),
        ({"mlp_ratios": [4, 4, 2, 4]}, "mlp_ratios is"),
        ({"id2label": {"1": "a"}}, "id2label is"),
    ],
)
def test_a_config_that_jaxseg_has_not_is_named(folder, fields, message):
    change(folder, **fields)
    with pytest.raises(LoadError, match=message):
        read_checkpoint(folder)


def test_a_backbone_alone_has_weights_for_any_model(folder):
    kept = read_checkpoint(folder).weights
    change(folder, architectures=["SegformerForImageClassification"])
    weights = drawn_weights(json.loads(str(np.load(CASE)["shapes"])))
    weights = {k: a for k, a in weights.items() if k.startswith("segformer.")}
    weights["classifier.weight"] = np.zeros((2, 32), np.float32)
    write_weights(folder / "model.safetensors", weights, {})
    checkpoint = read_checkpoint(folder)
    assert set(checkpoint.weights) == {k for k in kept if k.startswith("backbone.")}
    with pytest.raises(LoadError, match="a backbone without a head: give a config"):
        load_model(None, folder)


@pytest.mark.parametrize("content", ["[1]", "{", "9" * 5000])
def test_a_config_that_is_no_json_object_is_an_error(folder, content):
    (folder / "config.json").write_text(content)
    with pytest.raises(LoadError, match=r"config\.json"):
        read_checkpoint(folder)

"""A training whose model is that of `load_from`, for classes of its own."""

import json
import logging
import pathlib

import numpy as np
import pytest

from jaxseg.config import ConfigError
from jaxseg.heads.mask_classification import MaskClassificationHead
from jaxseg.resolve import resolve_model
from jaxseg.train.model_of_weights import with_model
from jaxseg.weights.files.weights_file import write_weights
from jaxseg.weights.part import Part
from jaxseg.weights.starting_weights import load_from
from tests.weights.huggingface.test_cases import write_folder

CASES = pathlib.Path(__file__).parents[1] / "weights" / "huggingface"
CLASSES = ("lake", "meadow")


def folder_of(name, tmp_path):
    write_folder(tmp_path, np.load(CASES / f"{name}.npz"))
    return str(tmp_path)


@pytest.mark.parametrize(
    "name", ["segformer", "upernet_swin", "mask2former", "maskformer_resnet", "eomt"]
)
def test_a_model_of_hugging_face_gets_the_data_sets_classes(name, tmp_path, caplog):
    caplog.set_level(logging.INFO, "jaxseg")
    source = folder_of(name, tmp_path)
    config = with_model({"load_from": source}, CLASSES)
    model = resolve_model(config["model"])
    assert {head.num_classes for head in model.heads.values()} == {2}
    if isinstance(model.decode_head, MaskClassificationHead):
        assert model.decode_head.loss_cls.class_weight == (1, 1, 0.1)
    assert f"model: that of load_from, {source}, for 2 classes" in caplog.text


def test_what_the_config_says_changes_that_model(tmp_path):
    changes = {
        "data_preprocessor": {"size": [32, 64]},
        "decode_head": {"dropout_ratio": 0.5, "act_cfg": {"type": "GELU"}},
    }
    source = folder_of("segformer", tmp_path)
    model = with_model({"load_from": source, "model": changes}, CLASSES)["model"]
    assert model["data_preprocessor"]["size"] == [32, 64]
    assert len(model["data_preprocessor"]["mean"]) == 3
    head = model["decode_head"]
    assert (head["type"], head["dropout_ratio"]) == ("SegformerHead", 0.5)
    assert head["act_cfg"] == {"type": "GELU"} and head["num_classes"] == 2


def test_a_model_with_a_type_stands(tmp_path):
    config = {"load_from": "nowhere.pth", "model": {"type": "EncoderDecoder"}}
    assert with_model(config, CLASSES) == config


def test_without_a_model_it_says_why(tmp_path):
    with pytest.raises(ConfigError, match="model is missing, or has no type"):
        with_model({}, CLASSES)
    path = tmp_path / "a.safetensors"
    write_weights(path, {"a": np.zeros(1, np.float32)}, {})
    with pytest.raises(ConfigError, match=r"load_from brings none: .*and no config"):
        with_model({"load_from": str(path)}, CLASSES)
    source = folder_of("segformer", tmp_path)
    model = {"decode_head": {"num_classes": {"a": 1}}}
    with pytest.raises(ConfigError, match=r"decode_head\.num_classes is a dict, and"):
        with_model({"load_from": source, "model": model}, CLASSES)
    config = tmp_path / "config.json"
    backbone = {"architectures": ["SegformerModel"]}
    config.write_text(json.dumps(json.loads(config.read_text()) | backbone))
    with pytest.raises(ConfigError, match="a backbone without a head"):
        with_model({"load_from": source}, CLASSES)


class Masks(Part):
    class_modules = ("cls_embed",)


def variables(classes, value):
    def full(*shape):
        return np.full(shape, value, np.float32)

    head = {"kernel": full(3, classes), "bias": full(classes)}
    return {
        "params": {"decode_head": {"cls_embed": head, "mask_embed.0": head}},
        "batch_stats": {"iterations": full()},
    }


def test_what_a_head_calls_its_classifier_starts_fresh_and_counts_begin_anew(tmp_path):
    path = tmp_path / "a.safetensors"
    weights = {
        "decode_head.cls_embed.weight": np.ones((5, 3), np.float32),
        "decode_head.cls_embed.bias": np.ones(5, np.float32),
        "decode_head.mask_embed.0.weight": np.ones((4, 3), np.float32),
        "decode_head.mask_embed.0.bias": np.ones(4, np.float32),
        "iterations": np.ones((), np.float32),
    }
    write_weights(path, weights, {})
    fresh = variables(4, 9.0)
    fresh["batch_stats"]["iterations"] *= 0
    found = load_from(str(path), fresh, Masks())
    head = found["params"]["decode_head"]
    assert head["cls_embed"]["kernel"].min() == head["cls_embed"]["bias"].min() == 9
    assert (
        head["mask_embed.0"]["kernel"].max() == head["mask_embed.0"]["bias"].max() == 1
    )
    assert found["batch_stats"]["iterations"] == 0

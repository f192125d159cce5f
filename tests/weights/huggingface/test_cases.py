"""Models of Hugging Face's give the logits of transformers' own classes."""

import json
import pathlib

import jax
import numpy as np
import pytest

from jaxseg.inference.loaded import load_model
from jaxseg.resolve import MODEL_TABLES, resolve
from jaxseg.weights.files.weights_file import write_weights
from jaxseg.weights.huggingface.families import BACKBONES, SEGMENTORS
from jaxseg.weights.huggingface.fields import read_fields
from jaxseg.weights.load import read_checkpoint
from jaxseg.weights.state_dict import from_state_dict
from tests.weights.huggingface.drawn import drawn_image, drawn_weights

FOLDER = pathlib.Path(__file__).parent
QUICK = {"segformer"}


def architecture(path):
    return json.loads(str(np.load(path)["config"]))["architectures"][0]


def cases(of_backbones):
    return [
        pytest.param(
            path, id=path.stem, marks=() if path.stem in QUICK else pytest.mark.long
        )
        for path in sorted(FOLDER.glob("*.npz"))
        if architecture(path).endswith("Backbone") == of_backbones
    ]


PREPROCESSOR = {
    "do_resize": False,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
}


def write_folder(folder, case):
    (folder / "config.json").write_text(str(case["config"]))
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR))
    weights = drawn_weights(json.loads(str(case["shapes"])))
    write_weights(folder / "model.safetensors", weights, {"format": "pt"})


def test_every_family_has_a_case():
    made = {architecture(path) for path in FOLDER.glob("*.npz")}
    assert {name for name in made if not name.endswith("Backbone")} == set(SEGMENTORS)


@pytest.mark.parametrize("path", cases(of_backbones=False))
def test_gives_the_logits_of_transformers(path, tmp_path):
    case = np.load(path)
    write_folder(tmp_path, case)
    model = load_model(None, tmp_path)
    assert model.classes == ("sky", "road", "tree", "car", "dog")
    logits = np.asarray(model.encode_decode(drawn_image(*case["size"])))[:, ::5, ::5]
    expected = case["logits"]
    assert logits.shape == expected.shape
    assert np.abs(logits - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("path", cases(of_backbones=True))
def test_gives_the_maps_of_transformers(path, tmp_path):
    case = np.load(path)
    write_folder(tmp_path, case)
    config = json.loads(str(case["config"]))
    family = BACKBONES[config["model_type"]]
    fields = read_fields(config, family.defaults, family.only, "config.json")
    backbone = resolve(family.config(fields, "config.json"), "backbone", MODEL_TABLES)
    image = drawn_image(*case["size"])
    target = jax.eval_shape(lambda: backbone.init(jax.random.key(0), image, False))
    weights = {
        key.removeprefix("backbone."): array
        for key, array in read_checkpoint(tmp_path).weights.items()
    }
    maps = backbone.apply(from_state_dict(weights, target), image, False)
    found, expected = np.concatenate(maps, axis=-1), case["logits"]
    assert found.shape == expected.shape
    assert family.channels(fields) == tuple(x.shape[-1] for x in maps)
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()

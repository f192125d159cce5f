"""Models of Hugging Face's give the logits of transformers' own classes."""

import json
import pathlib

import numpy as np
import pytest

from jaxseg.inference.loaded import load_model
from jaxseg.weights.files.weights_file import write_weights
from jaxseg.weights.huggingface.families import SEGMENTORS
from tests.weights.huggingface.drawn import drawn_image, drawn_weights

FOLDER = pathlib.Path(__file__).parent
QUICK = {"segformer"}
CASES = [
    pytest.param(
        path, id=path.stem, marks=() if path.stem in QUICK else pytest.mark.long
    )
    for path in sorted(FOLDER.glob("*.npz"))
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
    made = {
        json.loads(str(np.load(p)["config"]))["architectures"][0]
        for p in FOLDER.glob("*.npz")
    }
    assert made == set(SEGMENTORS)


@pytest.mark.parametrize("path", CASES)
def test_gives_the_logits_of_transformers(path, tmp_path):
    case = np.load(path)
    write_folder(tmp_path, case)
    model = load_model(None, tmp_path)
    assert model.classes == ("sky", "road", "tree", "car", "dog")
    logits = np.asarray(model.encode_decode(drawn_image(*case["size"])))[:, ::5, ::5]
    expected = case["logits"]
    assert logits.shape == expected.shape
    assert np.abs(logits - expected).max() <= 1e-5 * np.abs(expected).max()

import json
import pickle

import numpy as np
import pytest

from jaxseg.config import ConfigError
from jaxseg.losses import CrossEntropyLoss
from jaxseg.resolve import resolve


def write(path, weights):
    if path.suffix == ".npy":
        np.save(path, np.array(weights))
    elif path.suffix == ".json":
        path.write_text(json.dumps(weights))
    else:
        path.write_text("".join(f"- {weight}\n" for weight in weights))
    return str(path)


@pytest.mark.parametrize("suffix", [".npy", ".json", ".yaml", ".yml"])
def test_weights_come_from_a_file(tmp_path, suffix):
    path = write(tmp_path / f"weights{suffix}", [0.5, 1.0, 2.0])
    loss = resolve(dict(type="CrossEntropyLoss", class_weight=path), "loss")
    assert loss == CrossEntropyLoss(class_weight=(0.5, 1.0, 2.0))


def test_what_is_in_no_file_is_refused(tmp_path):
    def refused(path, message):
        with pytest.raises(ConfigError, match=message):
            resolve(dict(type="CrossEntropyLoss", class_weight=str(path)), "loss")

    refused(tmp_path / "none.npy", r"loss\.class_weight: .*none.npy cannot be read")
    words = tmp_path / "words.json"
    words.write_text('["a", "b"]')
    refused(words, r"words.json holds \['a', 'b'\], allowed is a list of numbers")
    broken = tmp_path / "broken.json"
    broken.write_text("[1, ")
    refused(broken, "broken.json cannot be read")
    pickled = tmp_path / "weights.pkl"
    pickled.write_bytes(pickle.dumps([1.0]))
    refused(pickled, "ends in '.pkl', allowed are .npy, .json, .yaml and .yml")
    objects = tmp_path / "objects.npy"
    np.save(objects, np.array([dict()]), allow_pickle=True)
    refused(objects, "objects.npy cannot be read: .*pickle")

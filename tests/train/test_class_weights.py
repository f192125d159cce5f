"""Class weights by name: what a training makes of them."""

import json
import logging

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from input_pipeline.errors import DataError
from jaxseg.config import load
from jaxseg.errors import FieldError
from jaxseg.losses import CrossEntropyLoss
from jaxseg.losses.class_weight import FROM_DATA, weights_of
from jaxseg.settings.read import read_settings
from jaxseg.train.class_weights import count_classes, with_class_weights
from jaxseg.train.run import Run
from tests.tiny import get_config


@pytest.fixture
def config(tiny_data):
    return load(get_config(str(tiny_data)))


@pytest.fixture
def labels(tiny_data):
    files = sorted((tiny_data / "labels" / "train").iterdir())
    return np.stack([np.asarray(Image.open(file)) for file in files])


def train_set(config):
    return read_settings(config).train_dataloader.dataset


def losses(name, weight):
    return dict(type="CrossEntropyLoss", loss_name=name, class_weight=weight)


def test_every_name_in_a_model(config, labels, caplog):
    model = config["model"]
    model["decode_head"]["loss_decode"] = [
        losses(f"loss_{name}", name) for name in FROM_DATA
    ] + [losses("loss_plain", [1.0, 2.0, 3.0, 4.0]), losses("loss_none", None)]
    with caplog.at_level(logging.INFO, "jaxseg"):
        found = with_class_weights(model, train_set(config))
    median, inverse, enet, plain, none = [
        loss["class_weight"] for loss in found["decode_head"]["loss_decode"]
    ]
    pixels = np.array([(labels == k).sum() for k in range(4)])
    images = np.array([(labels == k).any((1, 2)).sum() for k in range(4)])
    frequency = pixels / (images * 64 * 64)
    np.testing.assert_allclose(median, np.median(frequency) / frequency, atol=1e-6)
    share = pixels / pixels.sum()
    np.testing.assert_allclose(inverse, 1 / (4 * share), atol=1e-6)
    np.testing.assert_allclose(enet, 1 / np.log(1.02 + share), atol=1e-6)
    assert (plain, none) == ([1.0, 2.0, 3.0, 4.0], None)
    assert f"class_weight enet of the training set: {enet}" in caplog.text
    rest = {k: v for k, v in found.items() if k != "decode_head"}
    assert rest == {k: v for k, v in model.items() if k != "decode_head"}


def test_a_repeated_data_set_is_read_once_and_ignored_pixels_count_nowhere(config):
    plain = config["train_dataloader"]["dataset"]
    plain["label_map"] = {0: 255}
    once = count_classes(train_set(config))
    assert once[0].pixels == 0 and once[1].pixels > 0
    repeated = dict(type="RepeatDataset", times=5, dataset=plain)
    config["train_dataloader"]["dataset"] = repeated
    assert count_classes(train_set(config)) == once


def test_without_a_name_no_label_is_read(config, monkeypatch):
    monkeypatch.setattr("jaxseg.train.class_weights.count_classes", None)
    assert with_class_weights(config["model"], None) == config["model"]


def test_a_run_keeps_the_numbers(config, tmp_path):
    config["model"]["decode_head"]["loss_decode"] = losses("loss_ce", "enet")
    run = Run(config, tmp_path)
    saved = run.config["model"]["decode_head"]["loss_decode"]["class_weight"]
    assert len(saved) == 4 and json.dumps(saved)
    loss = run.train_model.decode_head.loss_decode
    assert loss.class_weight == tuple(saved)
    # The next start of the run computes the same.
    assert Run(config, tmp_path).config == run.config


def test_labels_that_cannot_be_used(config):
    meta = config["train_dataloader"]["dataset"]["metainfo"]
    meta.update(classes=meta["classes"][:2], palette=meta["palette"][:2])
    found = train_set(config)
    with pytest.raises(DataError, match=r"class_weight of .*: 12 of 12 labels cannot"):
        count_classes(found, max_bad=11)
    assert [tally.pixels for tally in count_classes(found, max_bad=12)] == [0, 0]


def test_elsewhere_a_name_is_no_weight():
    loss = CrossEntropyLoss(class_weight="enet")
    loss.check_channels(4)
    with pytest.raises(
        FieldError, match=r"'enet', which jaxseg.main replaces .* needs"
    ):
        weights_of(loss, 4, jnp.float32)

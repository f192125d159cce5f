import json

import numpy as np
import pytest

from input_pipeline.datasets import BaseSegDataset
from jaxseg.load_config import load_config
from scripts.benchmark import training


@pytest.fixture
def config(monkeypatch):
    files = [("images/train/a.jpg", "annotations/train/a.png")]
    monkeypatch.setattr(BaseSegDataset, "_list_files", lambda self: files)
    changes = [("randomness.seed", 7)]
    return load_config("experiments/camvid_fast_scnn.py:DATA", overrides=changes)


def test_what_the_other_side_is_told(config):
    job = training.make_job(config)
    assert (job["seed"], job["max_iters"], job["val_interval"]) == (7, 2000, 500)
    assert job["data_root"] == "DATA"
    assert len(job["classes"]) == len(job["palette"]) == 11
    assert job["label_map"] == {11: 255}
    train, val = job["train"], job["val"]
    assert (train["batch_size"], val["batch_size"]) == (8, 4)
    dataset = train["dataset"]
    assert (dataset["img_suffix"], dataset["seg_map_suffix"]) == (".jpg", ".png")
    assert dataset["data_prefix"]["seg_map_path"] == "annotations/train"
    names = [step["type"] for step in dataset["pipeline"]]
    assert names[0] == "LoadImageFromFile" and names[-1] == "PackSegInputs"


def test_a_training_that_is_done_is_not_repeated(tmp_path):
    calls = []

    def train(options, changes, folder):
        calls.append(folder)
        return [(2, 10.5), (4, 20.25)]

    folder = tmp_path / "jaxseg_0"
    first = training._once(train, None, [], folder)
    again = training._once(train, None, [], folder)
    assert calls == [folder]
    assert json.loads(json.dumps(first)) == again
    assert np.ravel(again["mIoU"]).tolist() == [2, 10.5, 4, 20.25]
    training._draw({folder.name: again}, tmp_path / "training.png")
    assert (tmp_path / "training.png").stat().st_size > 5000

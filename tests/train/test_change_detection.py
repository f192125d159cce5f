"""Change detection from files to a trained model, its scores and a prediction."""

import json

import cv2
import numpy as np
import pytest

from input_pipeline.errors import DataError
from jaxseg.apis import inference_model, init_model
from jaxseg.train.loop import train
from tests.change_detection import make_pairs
from tests.tiny import get_config

PREFIX = dict(img_path="A", img_path2="B", seg_map_path="label")
LOAD = [
    dict(type="LoadMultipleRSImageFromFile"),
    dict(type="LoadAnnotations"),
    dict(type="ConcatCDInput"),
]


def config_of(folder):
    config = get_config(str(folder))
    config["model"]["data_preprocessor"] |= dict(
        mean=[100.0] * 6, std=[60.0] * 6, bgr_to_rgb=False, size=(32, 48)
    )
    config["model"]["backbone"]["in_channels"] = 6
    config["model"]["decode_head"]["num_classes"] = 2
    dataset = dict(
        type="LEVIRCDDataset",
        data_root=str(folder),
        data_prefix=PREFIX,
        pipeline=[*LOAD, dict(type="PackSegInputs")],
    )
    augmented = [*LOAD, dict(type="RandomFlip", prob=0.5), dict(type="PackSegInputs")]
    config["train_dataloader"]["batch_size"] = 8
    config["train_dataloader"]["dataset"] = dataset | dict(pipeline=augmented)
    config["val_dataloader"]["dataset"] = dataset
    config["train_cfg"] = dict(max_iters=150, val_interval=150)
    config["default_hooks"] = dict(
        checkpoint=dict(interval=150, max_keep_ckpts=1), logger=dict(interval=50)
    )
    del config["ema"]
    return config


@pytest.mark.long
def test_from_files_to_a_prediction(tmp_path):
    make_pairs(tmp_path / "data", 8)
    config, run = config_of(tmp_path / "data"), tmp_path / "run"
    assert train(config, run) == 0
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    # Of pairs whose second image is brighter where something changed; a model that
    # says "background" everywhere has 42.
    assert last["split"] == "val" and last["mIoU"] > 70
    model = init_model(run)
    images = [
        cv2.imread(str(tmp_path / "data" / side / "0.png"))[..., ::-1] for side in "AB"
    ]
    both = np.concatenate(images, axis=2)
    label = cv2.imread(str(tmp_path / "data" / "label" / "0.png"), -1)
    found = inference_model(model, both)
    assert (found == label).mean() > 0.9
    with pytest.raises(DataError, match="is one image, and LoadMultipleRSImage"):
        inference_model(model, tmp_path / "data" / "A" / "0.png")

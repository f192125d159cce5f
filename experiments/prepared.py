"""SegFormer-B0 on a data set that `python -m jaxseg.prepare` has made.

    python -m jaxseg.prepare drive training.zip test.zip --output data/DRIVE
    python -m jaxseg.main --config experiments/prepared.py:data/DRIVE

The folder's prepared.json says which data set it is; its class has the classes. The
backbone starts from ImageNet's weights, which are downloaded (14 MB). 20000 iterations
of 8 crops.
"""

import json
import pathlib
from typing import Any

import common

from input_pipeline import datasets
from input_pipeline.lists import read_names


def get_config(folder: str) -> dict[str, Any]:
    prepared = json.loads(pathlib.Path(folder, "prepared.json").read_text())
    crop_size = tuple(prepared["crop_size"])
    kind = getattr(datasets, prepared["dataset"])

    def dataset(part):
        return dict(type=prepared["dataset"], data_root=str(folder), **part)

    scale = tuple(prepared["scale"])
    train, val = [dataset(part) for part in prepared["train"]], dataset(prepared["val"])
    config = dict(
        model=common.segformer_b0(_num_classes(kind, train[0]), crop_size),
        **common.loaders(train, val, scale, crop_size),
        **common.adamw_schedule(20000),
    )
    return _of_pairs(config) if issubclass(kind, datasets.BaseCDDataset) else config


def _num_classes(kind: type, train: dict[str, Any]) -> int:
    """Of the data set's class, or of the names that its download has."""
    if kind.CLASSES:
        return len(kind.CLASSES)
    names = train["metainfo"]["classes"]
    if isinstance(names, str):
        names = read_names(f"{train['data_root']}/{names}")
    return len(names)


def _of_pairs(config: dict[str, Any]) -> dict[str, Any]:
    """Change detection: both images of a place side by side in six channels."""
    model = config["model"]
    model["backbone"]["in_channels"] = 6
    for key in ("mean", "std"):
        model["data_preprocessor"][key] = common.IMAGENET[key] * 2
    model["data_preprocessor"]["bgr_to_rgb"] = False
    for loader in ("train_dataloader", "val_dataloader"):
        dataset = config[loader]["dataset"]
        _, *others = dataset["pipeline"]
        dataset["pipeline"] = [
            dict(type="LoadMultipleRSImageFromFile"),
            dict(type="ConcatCDInput"),
            *(step for step in others if step["type"] != "PhotoMetricDistortion"),
        ]
    return config | dict(adapt_in_channels=True)

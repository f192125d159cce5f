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


def get_config(folder: str) -> dict[str, Any]:
    prepared = json.loads(pathlib.Path(folder, "prepared.json").read_text())
    crop_size = tuple(prepared["crop_size"])
    classes = getattr(datasets, prepared["dataset"]).CLASSES

    def dataset(part):
        return dict(type=prepared["dataset"], data_root=str(folder), **part)

    scale = tuple(prepared["scale"])
    train, val = [dataset(part) for part in prepared["train"]], dataset(prepared["val"])
    return dict(
        model=common.segformer_b0(len(classes), crop_size),
        **common.loaders(train, val, scale, crop_size),
        **common.adamw_schedule(20000),
    )

"""What of a config is changed before it is measured."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from jaxseg.config import ConfigError


@dataclasses.dataclass(frozen=True)
class Setup:
    """What of a config is changed before it is measured.

    Attributes:
        batch_size: images of a batch, over all devices; None as the config says.
        size: (height, width) of a training crop and of a test image, or None.
        dtype: type that training and inference compute in, or None.
        synthetic: (height, width) of images that take the place of the data set; None
            takes the data set, if it is there.
    """

    batch_size: int | None = None
    size: tuple[int, int] | None = None
    dtype: str | None = None
    synthetic: tuple[int, int] | None = None


def prepare_config(config: Mapping[str, Any], setup: Setup) -> dict[str, Any]:
    """A config with what a `Setup` says; without starting weights, which cost no time.

    Raises:
        ConfigError: if it lacks what training needs.
    """
    for name in ("model", "optim_wrapper", "train_dataloader", "val_dataloader"):
        if not config.get(name):
            raise ConfigError(f"{name} is missing: a benchmark needs it")
    config = {
        **config,
        "model": {**config["model"], "pretrained": None},
        "load_from": None,
        "adapt_in_channels": None,
        "resume": None,
    }
    if setup.batch_size is not None:
        for name in ("train_dataloader", "val_dataloader"):
            config[name] = {**config[name], "batch_size": setup.batch_size}
    if setup.size is not None:
        config = _with_crops(config, setup.size)
    if setup.dtype is not None:
        config["model"]["dtype"] = setup.dtype
        wrapper = {**config["optim_wrapper"], "type": "OptimWrapper"}
        wrapper.pop("dtype", None)
        config["optim_wrapper"] = wrapper
    return config


def _with_crops(config, size):
    """A config whose training images are cut, or padded, to a size."""
    size = list(size)
    preprocessor = config["model"].get("data_preprocessor")
    preprocessor = {**(preprocessor or {"type": "SegDataPreProcessor"}), "size": size}
    model = {**config["model"], "data_preprocessor": preprocessor}

    def cropped(dataset):
        if isinstance(dataset, list):
            return [cropped(child) for child in dataset]
        dataset = dict(dataset)
        for key in ("dataset", "datasets"):
            if key in dataset:
                dataset[key] = cropped(dataset[key])
        if "pipeline" in dataset:
            dataset["pipeline"] = _cropping(dataset["pipeline"], size)
        return dataset

    loader = config["train_dataloader"]
    loader = {**loader, "dataset": cropped(loader["dataset"])}
    return {**config, "model": model, "train_dataloader": loader}


def _cropping(pipeline, size):
    """The pipeline, with a crop before its last entry if it had none."""
    # As in mmcv, Pad alone takes (width, height).
    sizes = {
        "RandomCrop": {"crop_size": size},
        "Pad": {"size": size[::-1], "size_divisor": None},
    }
    pipeline = [{**entry, **sizes.get(entry["type"], {})} for entry in pipeline]
    if not any(entry["type"] == "RandomCrop" for entry in pipeline):
        pipeline.insert(-1, {"type": "RandomCrop", "crop_size": size})
    return pipeline

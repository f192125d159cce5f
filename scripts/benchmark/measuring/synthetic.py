"""Images and labels in place of a data set that is not here."""

import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from input_pipeline import transforms
from input_pipeline.transforms.transform import does
from jaxseg.resolve import resolve

# (height, width) of a typical image: of the driving sets the only one, of the others
# what is most frequent.
_TYPICAL_SIZE = {
    "CityscapesDataset": (1024, 2048),
    "PascalVOCDataset": (375, 500),
    "PascalContextDataset": (375, 500),
    "PascalContextDataset59": (375, 500),
    "COCOStuffDataset": (480, 640),
    "ADE20KDataset": (512, 683),
    "DRIVEDataset": (584, 565),
    "STAREDataset": (605, 700),
    "ChaseDB1Dataset": (960, 999),
    "HRFDataset": (2336, 3504),
}
_OTHER_SIZE = (512, 683)

# Long edge of the squares that labels are made of, in pixels.
_PATCH = 64


def missing_folders(config: Mapping[str, Any]) -> list[str]:
    """The `data_root` folders of a config's loaders that do not exist."""
    roots = [
        dataset.get("data_root")
        for name in ("train_dataloader", "val_dataloader")
        for dataset in _leaves(config[name]["dataset"])
    ]
    roots = dict.fromkeys(root for root in roots if root is not None)
    return [root for root in roots if not pathlib.Path(root).is_dir()]


def typical_size(config: Mapping[str, Any]) -> tuple[int, int]:
    """(height, width) of the images of a config's training set.

    By its type; where the pipeline neither cuts nor resizes, that of a batch.
    """
    dataset = next(_leaves(config["train_dataloader"]["dataset"]))
    path = "train_dataloader.dataset.pipeline"
    steps = resolve(dataset.get("pipeline", []), path, (transforms,))
    size = (config["model"].get("data_preprocessor") or {}).get("size")
    if size is not None and not any(does(step, "changes_size") for step in steps):
        return tuple(size)
    return _TYPICAL_SIZE.get(dataset.get("type"), _OTHER_SIZE)


def varied_sizes(count: int, short: int) -> list[tuple[int, int]]:
    """(height, width) of photographs from many cameras, as those of ADE20K.

    Args:
        count: of images.
        short: what their short sides are about; they are 0.75 to 1.5 times that.

    Returns:
        Sizes whose long side is 1 to 2 times the short one, a quarter of them upright.
    """
    rng = np.random.default_rng(0)
    short_sides = short * rng.uniform(0.75, 1.5, count)
    long_sides = short_sides * rng.uniform(1, 2, count)
    sizes = np.stack([short_sides, long_sides], 1).round().astype(int).tolist()
    upright = rng.random(count) < 0.25
    return [(b, a) if up else (a, b) for (a, b), up in zip(sizes, upright, strict=True)]


def _leaves(dataset) -> Iterator[Mapping[str, Any]]:
    """The data sets inside the wrappers of one."""
    if isinstance(dataset, list):
        for child in dataset:
            yield from _leaves(child)
    elif "dataset" in dataset or "datasets" in dataset:
        yield from _leaves(dataset.get("dataset") or dataset["datasets"])
    else:
        yield dataset


def with_synthetic_data(
    config: Mapping[str, Any],
    folder: pathlib.Path,
    sizes: Sequence[tuple[int, int]],
) -> dict[str, Any]:
    """Writes a data set, and puts it in the place of a config's own.

    Args:
        config: a whole config.
        folder: where `images/*.jpg` and `labels/*.png` go.
        sizes: (height, width) of each image.

    Returns:
        The config whose loaders read that folder, through the same pipelines.
    """
    num_classes = config["model"]["decode_head"]["num_classes"]
    _write(folder, sizes, num_classes)

    def replaced(dataset):
        if isinstance(dataset, list):
            return [replaced(child) for child in dataset]
        for key in ("dataset", "datasets"):
            if key in dataset:
                return {**dataset, key: replaced(dataset[key])}
        return {
            "type": "BaseSegDataset",
            "data_root": str(folder),
            "data_prefix": {"img_path": "images", "seg_map_path": "labels"},
            "metainfo": {"classes": [f"class {i}" for i in range(num_classes)]},
            "pipeline": [_without_label_rule(s) for s in dataset.get("pipeline", [])],
        }

    loaders = {
        name: {**config[name], "dataset": replaced(config[name]["dataset"])}
        for name in ("train_dataloader", "val_dataloader")
    }
    return {**config, **loaders}


def _without_label_rule(step):
    """LoadAnnotations as the data set says: the labels start at class 0."""
    return {key: value for key, value in step.items() if key != "reduce_zero_label"}


def _write(folder, sizes, num_classes):
    """Smooth colours under a little noise: a JPEG of about 2 bits a pixel."""
    rng = np.random.default_rng(0)
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    for i, (height, width) in enumerate(sizes):
        small = (-(-height // _PATCH), -(-width // _PATCH))
        colors = rng.integers(0, 256, (*small, 3), np.uint8)
        image = cv2.resize(colors, (width, height), interpolation=cv2.INTER_CUBIC)
        noise = rng.normal(0, 6, image.shape)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
        label = rng.integers(0, min(num_classes, 255), small, np.uint8)
        label = cv2.resize(label, (width, height), interpolation=cv2.INTER_NEAREST)
        cv2.imwrite(str(folder / "images" / f"{i:04d}.jpg"), image)
        cv2.imwrite(str(folder / "labels" / f"{i:04d}.png"), label)

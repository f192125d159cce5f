"""Python interface: a model in three lines, for notebooks and other programs.

model = init_model("work_dirs/digits_unet")
label_map = inference_model(model, "image.jpg")
show_result(model, "image.jpg", label_map, out_file="result.png")

And what the command line does:

config = load_config("my_data.py")
config.train_cfg.max_iters = 2000
train(config, "work_dirs/mine")
scores = evaluate("work_dirs/mine")
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from input_pipeline.sources import SegDataset
from jaxseg import load_config as loading
from jaxseg.checkpoint.layout import run_of
from jaxseg.config import ConfigError
from jaxseg.config_object import Config
from jaxseg.evaluation.run import evaluate_checkpoint
from jaxseg.inference.loaded import SegModel, load_model
from jaxseg.inference.output_formats import check_formats
from jaxseg.inference.pictures import Prediction, predict_files
from jaxseg.metrics.metric import Scores
from jaxseg.settings.read import read_settings
from jaxseg.train.loop import train
from jaxseg.visualize import as_rgb, overlay

_Image = str | Path | np.ndarray
_Result = np.ndarray | tuple[np.ndarray, np.ndarray]

__all__ = [
    "Config",
    "SegModel",
    "build_dataset",
    "evaluate",
    "inference_model",
    "init_model",
    "load_config",
    "predict",
    "show_result",
    "train",
]


def load_config(
    source: str | Path | Mapping[str, Any],
    overrides: Mapping[str, Any] | Iterable[tuple[str, Any]] = (),
) -> Config:
    """Reads a config of ours, or an unmodified one of mmseg 0.x or 1.x.

    Args:
        source: as `--config`: a `.py` or `.json` file, `file.py:argument`, or a dict.
        overrides: values by their paths, `{"model.backbone.depth": 101}`.

    Returns:
        The config, whose keys are attributes, too: to look at, to change, and to hand
        to `train` and the others.

    Raises:
        ConfigError: as on the command line.
    """
    pairs = overrides.items() if isinstance(overrides, Mapping) else overrides
    return Config(loading.load_config(source, overrides=list(pairs)))


def build_dataset(config: Mapping[str, Any], split: str = "train") -> SegDataset:
    """The data set of a config: `len(dataset)`, `dataset.sample(0, rng)`.

    Args:
        config: a whole config, from `load_config`.
        split: 'train', 'val' or 'test'.

    Raises:
        ConfigError, DataError: if there is none, or it cannot be used.
    """
    if split not in ("train", "val", "test"):
        raise ConfigError(f"split is {split!r}, allowed: 'train', 'val', 'test'")
    loader = getattr(read_settings(config, (split,)), f"{split}_dataloader")
    if loader is None:
        raise ConfigError(f"{split}_dataloader is missing: there is no data set in it")
    return loader.dataset


def evaluate(
    checkpoint: str | Path,
    config: Mapping[str, Any] | None = None,
    split: str = "val",
    folder: str | Path | None = None,
) -> Scores:
    """Scores a checkpoint, and writes what `--mode eval` writes.

    Args:
        checkpoint: a work directory, one step of it, `work_dirs/NAME:best`, or a file of
            weights.
        config: a whole config; None takes the one saved in the checkpoint.
        split: 'val' or 'test'.
        folder: gets the scores as files; None takes the run's work directory, or the
            current directory of a file of weights.

    Returns:
        The scores: `summary` by name, in percent, and `per_class`.

    Raises:
        ConfigError: if the config has no such loader, or its data does not fit.
    """
    if folder is None:
        folder = run_of(checkpoint) or "."
    return evaluate_checkpoint(config, checkpoint, Path(folder), split)


def predict(
    model: SegModel,
    images: Sequence[str | Path],
    output: str | Path,
    formats: Sequence[str] | None = None,
) -> list[Prediction]:
    """Predicts image files, and writes what `--mode predict` writes.

    Args:
        model: from `init_model`.
        images: files of images and videos.
        output: the folder for `labels/NAME.png`, `overlays/NAME.jpg`, ...
        formats: what is written: some of `mask`, `color`, `overlay`, `probability`,
            `polygons`, `rle`. By default mask and overlay, of a video the overlay.

    Returns:
        One a file: `file`, the path of its first format; or the `error` of a file that
        cannot be read or does not fit.

    Raises:
        ConfigError: if a format is unknown.
    """
    paths = [Path(image) for image in images]
    chosen = None if formats is None else check_formats(formats)
    return list(predict_files(model, paths, Path(output), chosen))


def init_model(
    config: str | Path | Mapping[str, Any], checkpoint: str | Path | None = None
) -> SegModel:
    """Builds a model, with trained weights or fresh ones.

    Args:
        config: a config file (`.py`, `.json`), an unmodified one of mmseg, or a dict;
            `model` is all that it needs. Or, alone, a run of jaxseg, which brings its
            config: a work directory, one step of it, or `work_dirs/NAME:best`; or a model
            of Hugging Face's, `hf://OWNER/NAME` or its folder.
        checkpoint: a work directory, its `checkpoints` folder or one step of it; a
            `.pth` of mmseg, `.safetensors` or `.npz` file; a model of Hugging Face's;
            or a URL whose file name has a digest. Its classes and palette become the
            model's. None leaves the model as a training would start it, without
            `pretrained`.

    Returns:
        The model; its `encode_decode(images)` takes normalised float32 images
        (N, H, W, C) to float32 logits (N, H, W, out_channels).

    Raises:
        ConfigError, LoadError: naming what does not fit, every missing, unexpected
            and misshapen weight in one error.
    """
    return load_model(config, checkpoint)


def inference_model(
    model: SegModel,
    image: _Image | Sequence[_Image],
    return_logits: bool = False,
    channel_order: str = "rgb",
) -> _Result | list[_Result]:
    """Predicts an image, or several; an array is in RGB order, not in OpenCV's BGR.

    Pixels of `cv2.imread` or `mmcv.imread`, which mmseg's `inference_model` takes, need
    `channel_order="bgr"`: without it the classes are wrong, and nothing else says so.

    Args:
        model: from `init_model`.
        image: a file, or an array (H, W, 3) uint8; or a list or tuple of them, of any
            sizes.
        return_logits: also return the logits; where the config has `tta` enabled, the
            mean probabilities of its scales and flips.
        channel_order: what an array has: `rgb`, or `bgr`. Files are read in the order
            that they have.

    Returns:
        Label map (H, W) at the image's own size, uint8 (uint16 of more than 256
        classes); with return_logits also (H, W, out_channels) float32. Of a list, a
        list of them in its order.
    """
    if isinstance(image, (list, tuple)):
        return [
            model.predict(_in_rgb(one, channel_order), return_logits) for one in image
        ]
    return model.predict(_in_rgb(image, channel_order), return_logits)


def show_result(
    model: SegModel,
    image: str | Path | np.ndarray,
    label_map: np.ndarray,
    opacity: float = 0.5,
    out_file: str | Path | None = None,
    channel_order: str = "rgb",
) -> np.ndarray:
    """Paints a label map over its image, in the model's palette.

    Args:
        model: from `init_model`.
        image: the image that was predicted.
        label_map: (H, W) integers.
        opacity: weight of the colours, above 0, up to 1.
        out_file: picture to write, or None.
        channel_order: what an image has that is an array, as of `inference_model`.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    pixels = as_rgb(model.read_pixels(_in_rgb(image, channel_order)))
    shown = overlay(pixels, label_map, model.palette, opacity)
    if out_file is not None:
        Path(out_file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(shown).save(out_file)
    return shown


def _in_rgb(image, channel_order):
    if channel_order not in ("rgb", "bgr"):
        raise ValueError(f"channel_order is {channel_order!r}, allowed: 'rgb', 'bgr'")
    if isinstance(image, np.ndarray) and channel_order == "bgr":
        return np.ascontiguousarray(image[..., ::-1])
    return image

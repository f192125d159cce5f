"""Python interface: a model in three lines, for notebooks and other programs.

model = init_model("work_dirs/digits_unet")
label_map = inference_model(model, "image.jpg")
show_result(model, "image.jpg", label_map, out_file="result.png")
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from jaxseg.inference.loaded import SegModel, load_model
from jaxseg.visualize import as_rgb, overlay

_Image = str | Path | np.ndarray
_Result = np.ndarray | tuple[np.ndarray, np.ndarray]

__all__ = ["SegModel", "inference_model", "init_model", "show_result"]


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
            or a URL whose file name has a digest. Its classes and palette become the model's. None leaves the
            model as a training would start it, without `pretrained`.

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

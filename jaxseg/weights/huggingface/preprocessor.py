"""Preprocessor: Hugging Face's preprocessor_config.json as a test pipeline."""

import logging
from collections.abc import Mapping
from typing import Any

from jaxseg.weights.huggingface.errors import HuggingFaceError

_log = logging.getLogger("jaxseg")

# By Pillow's numbers.
_INTERPOLATIONS = {
    0: "nearest",
    1: "pillow-lanczos",
    2: "pillow-bilinear",
    3: "pillow-bicubic",
    4: "pillow-box",
    5: "pillow-hamming",
}
# Classes that take one number as the short side; others as both sides.
_BY_SHORT_SIDE = ("MaskFormer", "Mask2Former", "MobileNetV2", "Eomt")
# Of what an image may become where no bound is given.
_NO_BOUND = 1 << 30


def read_preprocessor(
    config: Mapping[str, Any], where: str
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The config of a preprocessor and the test pipeline for a preprocessor_config.json.

    Args:
        config: the content of the file.
        where: its name, for errors.

    Returns:
        `model.data_preprocessor`, and the pipeline of an image.

    Raises:
        HuggingFaceError: for a field that is missing, or a value that jaxseg lacks.
    """
    preprocessor = dict(type="SegDataPreProcessor", bgr_to_rgb=True)
    scale = (
        config.get("rescale_factor", 1 / 255) if config.get("do_rescale", True) else 1
    )
    if not isinstance(scale, (int, float)) or not scale > 0:
        raise HuggingFaceError(
            f"{where}: rescale_factor is {scale!r}, allowed: above 0"
        )
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if config.get("do_normalize", True):
        mean, std = (
            _colour(config, name, where) for name in ("image_mean", "image_std")
        )
    preprocessor["mean"] = tuple(value / scale for value in mean)
    preprocessor["std"] = tuple(value / scale for value in std)
    divisor = config.get("size_divisor", config.get("size_divisibility")) or 0
    if config.get("do_pad", True) and divisor:
        preprocessor["test_cfg"] = dict(size_divisor=divisor)
    if config.get("do_center_crop"):
        _log.info("%s: do_center_crop is left out: every pixel gets a label", where)
    pipeline = [dict(type="LoadImageFromFile")]
    if config.get("do_resize", True):
        pipeline.append(_resize(config, where))
    return preprocessor, pipeline


def read_windows(config: Mapping[str, Any], where: str) -> dict[str, Any]:
    """`test_cfg`, in a dict, where the images of a file are split; else nothing.

    EoMT's windows are squares of the short side, as many as it takes to cover an image.
    Of three and more the last two overlap here, where transformers has them evenly spaced.

    Args:
        config: the content of the file, which `read_preprocessor` has read.
        where: its name, for errors.

    Raises:
        HuggingFaceError: for a size without a short side.
    """
    if not config.get("do_split_image"):
        return {}
    size = config["size"]
    side = size if isinstance(size, int) else size.get("shortest_edge")
    if side is None:
        raise HuggingFaceError(
            f"{where}: do_split_image is True and size {size!r}, allowed: shortest_edge"
        )
    window = (side, side)
    return dict(test_cfg=dict(mode="slide", crop_size=window, stride=window))


def _colour(config, name, where):
    value = config.get(name)
    is_colour = isinstance(value, list) and len(value) == 3
    if not is_colour or not all(isinstance(v, (int, float)) for v in value):
        raise HuggingFaceError(f"{where}: {name} is {value!r}, allowed: three numbers")
    return value


def _resize(config, where):
    number = config.get("resample", 2)
    if number not in _INTERPOLATIONS:
        raise HuggingFaceError(
            f"{where}: resample is {number!r}, allowed: {', '.join(map(str, _INTERPOLATIONS))}"
        )
    entry = dict(interpolation=_INTERPOLATIONS[number])
    size = config.get("size")
    if isinstance(size, int):
        is_short = str(_class_of(config)).startswith(_BY_SHORT_SIDE)
        size = (
            {"shortest_edge": size, "longest_edge": config.get("max_size")}
            if is_short
            else {"height": size, "width": size}
        )
    if not isinstance(size, Mapping):
        raise HuggingFaceError(
            f"{where}: size is {size!r}, allowed: a number, or height and width, or "
            "shortest_edge"
        )
    sides = {name: value for name, value in size.items() if value is not None}
    if not all(type(value) is int and value > 0 for value in sides.values()):
        raise HuggingFaceError(f"{where}: size is {size!r}, allowed: pixels above 0")
    if sides.keys() == {"height", "width"}:
        return _box(config, sides, where) | entry
    if "shortest_edge" in sides and sides.keys() <= {"shortest_edge", "longest_edge"}:
        bound = sides.get("longest_edge", _NO_BOUND)
        short = sides["shortest_edge"]
        return dict(type="ResizeShortestEdge", scale=short, max_size=bound, **entry)
    raise HuggingFaceError(
        f"{where}: size has {', '.join(size)}, allowed: height and width, or "
        "shortest_edge and longest_edge"
    )


def _box(config, sides, where):
    """The entry for a height and a width; DPT's are brought to multiples of a number."""
    multiple = config.get("ensure_multiple_of") or 1
    if type(multiple) is not int or multiple < 1:
        raise HuggingFaceError(
            f"{where}: ensure_multiple_of is {multiple!r}, allowed: pixels above 0"
        )
    scale = sides["width"], sides["height"]
    if config.get("keep_aspect_ratio"):
        return dict(type="ResizeClosestSide", scale=scale, size_divisor=multiple)
    scale = tuple(round(side / multiple) * multiple for side in scale)
    return dict(type="Resize", scale=scale)


def _class_of(config):
    return config.get("image_processor_type") or config.get("feature_extractor_type")

"""Pipelines: the transforms of either line, in our vocabulary."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from input_pipeline import transforms
from input_pipeline.decode import COLOR_TYPES
from jaxseg.config import ConfigError
from jaxseg.mmseg_config.preprocess import NORMALIZE_KEYS, PAD_KEYS
from jaxseg.mmseg_config.report import Report
from jaxseg.mmseg_config.test_time_aug import (
    as_plain_test,
    scales_of,
    without_aligned_resize,
)
from jaxseg.mmseg_config.type_names import find_class, with_base_type

# Of 0.x: they make tensors, which a batch does here.
_FORMATTING = ("DefaultFormatBundle", "ImageToTensor", "ToTensor", "Transpose")
_FORMATTING += ("ToDataContainer",)

# 0.x's `min_size` bounds the short side alone; ours wants a bound of the long one.
_NO_BOUND = 1 << 30


def translate_pipeline(
    entries: Sequence[Mapping[str, Any]], v0: bool, report: Report, path: str
) -> list[dict[str, Any]]:
    """Translates the pipeline of a data set.

    The normalisation of 0.x, and the padding behind it, are left out: they are the
    work of `model.data_preprocessor`. MultiScaleFlipAug gives way to what is inside.

    Args:
        entries: the transforms, as mmseg has them.
        v0: whether the config is one of mmseg 0.x.
        report: is told of transforms and keys that jaxseg does not have.
        path: where the pipeline stands in our config. The numbers behind it count
            mmseg's entries.
    """
    if not isinstance(entries, (list, tuple)):
        raise ConfigError(f"{path}: expected a list of dicts, found {entries!r:.80}")
    placed = [
        (with_base_type(entry, f"{path}.{i}"), f"{path}.{i}")
        for i, entry in enumerate(entries)
    ]
    if v0:
        placed = without_aligned_resize(as_plain_test(placed, report))
        placed = _without_normalisation(placed, report)
    table = _OF_V0 if v0 else _OF_V1
    translated = []
    for entry, where in placed:
        name = entry["type"]
        change = table.get(name)
        if change is not None:
            entry = change(entry, report, where)
        if find_class(entry["type"], transforms) is None:
            report.lacks(where, entry["type"])
        translated.append(entry)
    return translated


def without_backend(
    entry: Mapping[str, Any], report: Report, path: str
) -> dict[str, Any]:
    """Drops the backend that reads files; one of other than local files is reported."""
    entry = dict(entry)
    for key in ("file_client_args", "backend_args"):
        given = entry.pop(key, None) or {}
        if not isinstance(given, Mapping):
            raise ConfigError(f"{path}.{key}: expected a dict, found {given!r:.80}")
        backend = given.get("backend", "local")
        if backend not in ("local", "disk"):
            report.lacks(f"{path}.{key}", f"the file backend {backend!r}")
    return entry


# MARK: either line


def _load_image(entry, report, path):
    entry = without_backend(entry, report, path)
    backend = entry.pop("imdecode_backend", "cv2")
    if backend != "cv2":
        report.note(
            f"{path}: imdecode_backend={backend!r} is not used; OpenCV decodes images, "
            "and tifffile those of other than three channels"
        )
    if entry.pop("ignore_empty", False):
        report.note(f"{path}: ignore_empty is not used; an unreadable file is an error")
    color_type = entry.get("color_type", "color")
    if color_type not in COLOR_TYPES:
        report.lacks(path, f"LoadImageFromFile(color_type={color_type!r})")
    return entry


def _load_labels(entry, report, path):
    entry = without_backend(entry, report, path)
    backend = entry.pop("imdecode_backend", "pillow")
    if backend != "pillow":
        report.note(
            f"{path}: imdecode_backend={backend!r} is not used; Pillow decodes labels"
        )
    return entry


def _cut_out(entry, report, path):
    entry = dict(entry)
    color = entry.get("fill_in")
    if isinstance(color, (list, tuple)):
        entry["fill_in"] = tuple(color)[::-1]  # theirs is BGR
    return entry


def _gray(entry, report, path):
    entry = dict(entry)
    weights = tuple(entry.get("weights", transforms.RGB2Gray.weights))
    # Of three channels theirs are BGR at this place, of other numbers in the file's.
    entry["weights"] = weights[::-1] if len(weights) == 3 else weights
    return entry


# MARK: 1.x


def _resize(entry, report, path):
    entry = dict(entry)
    entry.pop("clip_object_border", None)  # of boxes
    if entry.pop("backend", "cv2") != "cv2":
        report.note(f"{path}: backend is not used; OpenCV resizes")
    return entry


def _random_resize(entry, report, path):
    entry = _resize(entry, report, path)
    resize_type = entry.pop("resize_type", "Resize")
    if resize_type != "Resize":
        report.lacks(path, f"RandomResize(resize_type={resize_type!r})")
    return entry


def _random_flip(entry, report, path):
    entry = dict(entry)
    if entry.pop("swap_seg_labels", None) is not None:
        report.lacks(path, "RandomFlip(swap_seg_labels)")
    return entry


def _pad(entry, report, path):
    entry = dict(entry)
    if entry.pop("pad_to_square", False):
        report.lacks(path, "Pad(pad_to_square)")
    mode = entry.pop("padding_mode", "constant")
    if mode != "constant":
        report.lacks(path, f"Pad(padding_mode={mode!r})")
    values = entry.get("pad_val")
    if isinstance(values, Mapping):
        color = values.get("img", 0)
        if isinstance(color, (list, tuple)):
            # Their images are BGR at this place, ours RGB.
            entry["pad_val"] = {**values, "img": tuple(color)[::-1]}
    return entry


def _load_pair(entry, report, path):
    entry = dict(entry)
    if entry.pop("to_float32", True):
        report.note(
            f"{path}: to_float32 is not used; whole numbers are converted on the device"
        )
    return entry


def _pack(entry, report, path):
    # What mmseg's own hooks and batches read of a sample.
    report.drop(path, [key for key in entry if key != "type"])
    return {"type": "PackSegInputs"}


# MARK: 0.x


def _without_normalisation(placed, report):
    """Leaves out Normalize, the Pad behind it, and what only makes tensors."""
    kept, normalised = [], False
    for entry, path in placed:
        name = entry["type"]
        if name in _FORMATTING:
            report.drop(
                path.rpartition(".")[0], [f"{path.rpartition('.')[2]} ({name})"]
            )
            continue
        if name == "Normalize":
            normalised = True
            report.drop_others(path, entry, ("type", *NORMALIZE_KEYS))
        elif normalised and name == "Pad":
            report.drop_others(path, entry, ("type", *PAD_KEYS))
        else:
            if normalised and name not in ("Collect", "LoadAnnotations"):
                report.note(
                    f"{path}: {name} comes behind Normalize in mmseg; here it gets "
                    "the image as it was before"
                )
            kept.append((entry, path))
    return kept


def _load_labels_v0(entry, report, path):
    entry = _load_labels(entry, report, path)
    entry.pop("reduce_zero_label", None)  # the data set says so here
    return entry


def _resize_v0(entry, report, path):
    entry = dict(entry)
    keep_ratio = entry.pop("keep_ratio", True)  # False in 1.x
    ratio_range, min_size = entry.pop("ratio_range", None), entry.pop("min_size", None)
    mode = entry.pop("multiscale_mode", "range")
    scales = scales_of(entry.pop("img_scale", None), path)
    if not keep_ratio:
        min_size = None  # 0.x does not read it then
    bound = {} if min_size is None else {"min_size": min_size}
    if ratio_range is not None:
        scale = scales[0] if scales else None  # the image's own size
        how = {"type": "RandomResize", "scale": scale, "ratio_range": ratio_range}
        how |= bound
    elif not scales:
        raise ConfigError(
            f"{path}: Resize has neither img_scale nor ratio_range; it needs one of them"
        )
    elif len(scales) > 1 and mode == "range":
        # 0.x draws a long and a short side, whichever way the scales lie.
        ends = [(max(s), min(s)) for s in scales]
        how = {"type": "RandomResize", "scale": ends, **bound}
    elif min_size is not None:
        shorts = [max(min_size, min(scale)) for scale in scales]
        edge = "ResizeShortestEdge"
        if len(scales) == 1:
            return {"type": edge, "scale": shorts[0], "max_size": _NO_BOUND}
        choice = {"type": "RandomChoiceResize", "scales": shorts, "resize_type": edge}
        return {**choice, "max_size": _NO_BOUND}
    elif len(scales) == 1:
        how = {"type": "Resize", "scale": scales[0]}
    else:
        how = {"type": "RandomChoiceResize", "scales": scales}
    return {**entry, **how, "keep_ratio": keep_ratio}


def _random_flip_v0(entry, report, path):
    entry = dict(entry)
    if "flip_ratio" in entry:
        entry["prob"] = entry.pop("flip_ratio")
    return entry


def _pad_v0(entry, report, path):
    """A Pad in front of Normalize, or without one."""
    entry = dict(entry)
    if isinstance(entry.get("size"), (list, tuple)):
        entry["size"] = tuple(entry["size"])[::-1]  # (h, w) there, (w, h) in 1.x
    entry["pad_val"] = {
        "img": entry.get("pad_val", 0),
        "seg": entry.pop("seg_pad_val", 255),
    }
    return _pad(entry, report, path)


_Change = Callable[[dict[str, Any], Report, str], dict[str, Any]]

_OF_V1: dict[str, _Change] = {
    "LoadAnnotations": _load_labels,
    "LoadDepthAnnotation": without_backend,
    "LoadImageFromFile": _load_image,
    "LoadMultipleRSImageFromFile": _load_pair,
    "PackSegInputs": _pack,
    "Pad": _pad,
    "RGB2Gray": _gray,
    "RandomChoiceResize": _resize,
    "RandomCutOut": _cut_out,
    "RandomFlip": _random_flip,
    "RandomResize": _random_resize,
    "Resize": _resize,
}
_OF_V0: dict[str, _Change] = {
    "Collect": _pack,
    "LoadAnnotations": _load_labels_v0,
    "LoadImageFromFile": _load_image,
    "Pad": _pad_v0,
    "RGB2Gray": _gray,
    "RandomCutOut": _cut_out,
    "RandomFlip": _random_flip_v0,
    "Resize": _resize_v0,
}

"""Normalisation and padding: `data_preprocessor` of 1.x, the pipelines of 0.x."""

from collections.abc import Iterator, Mapping
from typing import Any

from jaxseg.config import ConfigError, plain
from jaxseg.mmseg_config.line import is_v0
from jaxseg.mmseg_config.report import Report
from jaxseg.mmseg_config.test_time_aug import transforms_of
from jaxseg.mmseg_config.type_names import with_base_type

PATH = "model.data_preprocessor"

# Of 0.x's transforms, what is read here.
NORMALIZE_KEYS = ("mean", "std", "to_rgb")
PAD_KEYS = ("size", "size_divisor", "pad_val", "seg_pad_val")

# Transforms of 0.x after which a sample has no known size.
_CHANGE_THE_SIZE = ("Resize", "AlignedResize", "ResizeToMultiple", "RandomMosaic")


def translate_preprocessor(raw: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Makes `model.data_preprocessor` of a config of either line.

    Returns:
        The config of our SegDataPreProcessor; of 1.x under its own `type` if that is
        another one.
    """
    if is_v0(raw):
        return _from_pipelines(plain(raw.get("data") or {}), report)
    used = plain(raw["model"].get("data_preprocessor"))
    return _from_v1(used, raw, report)


def _from_v1(used, raw, report):
    unused = plain(raw.get("data_preprocessor"))
    if unused is not None and unused != used:
        report.note(
            f"data_preprocessor: not used, as in mmseg; {PATH} is "
            + ("another one" if used else "missing: images stay as they are")
        )
    if used is None:
        return {"type": "SegDataPreProcessor"}
    if used.get("type") != "SegDataPreProcessor":
        report.lacks(PATH, str(used.get("type")))
        return used
    result = {
        key: used.pop(key)
        for key in ("type", "mean", "std", "pad_val", "seg_pad_val", "size")
        if key in used
    }
    # Both names turn the channels round; mmseg's images are BGR before.
    turns = [used.pop(key, False) for key in ("bgr_to_rgb", "rgb_to_bgr")]
    result["bgr_to_rgb"] = any(turns)
    report.drop(PATH, [key for key in ("non_blocking",) if key in used])
    used.pop("non_blocking", None)
    divisor = used.pop("size_divisor", None)
    if divisor is not None:
        result["size"] = _multiple(raw, divisor, report)
    padding = used.pop("test_cfg", None)
    if padding:
        result["test_cfg"] = padding
    for key, value in used.items():
        if value:
            report.lacks(f"{PATH}.{key}", f"{key}={value!r:.60}")
    if result.get("size") is None and divisor is None:
        report.note(
            f"{PATH} has no size, and mmseg's training fails without: all samples "
            "must leave the training pipeline in one size"
        )
    return result


def _multiple(raw, divisor, report):
    """(height, width) of training samples that are padded to multiples of a number.

    mmseg pads to those of a batch's largest sample, which are the crop's where the crop
    is no larger than the divisor.
    """
    dataset = plain((raw.get("train_dataloader") or {}).get("dataset"))
    train = [list(_flat(pipeline)) for pipeline in _pipelines(dataset)]
    size = _final_size(train[0]) if train else None
    if size is None:
        report.lacks(PATH, f"size_divisor={divisor} without a RandomCrop")
        return None
    size = [size, size] if isinstance(size, int) else size
    if max(size) > divisor:
        report.note(
            f"{PATH}.size_divisor: all samples are padded to the crop's multiple, also "
            "those of a batch without one as large"
        )
    return [-(-side // divisor) * divisor for side in size]


def _from_pipelines(data, report):
    train = [list(_flat(p)) for p in _pipelines(data.get("train"))]
    tests = data.get("val") or data.get("test")  # as datasets.py takes them
    test = [list(_flat(pipeline)) for pipeline in _pipelines(tests)]
    found = [_normalize(pipeline) for pipeline in train + test]
    if any(other != found[0] for other in found):
        report.lacks(PATH, "another Normalize in another pipeline")
    for transform in (t for pipeline in train for t in _padding(pipeline)):
        if transform.get("size_divisor"):
            report.lacks(PATH, "Pad(size_divisor) in the training pipeline")
    result = {"type": "SegDataPreProcessor"}
    divisors = [t.get("size_divisor") for p in test[:1] for t in _padding(p)]
    if divisors and divisors[-1]:
        result["test_cfg"] = {"size_divisor": divisors[-1]}
    if data.get("val"):
        _check_test(data.get("test"), test, report)
    if found and found[0] is not None:
        result |= {
            "mean": found[0].get("mean"),
            "std": found[0].get("std"),
            "bgr_to_rgb": found[0].get("to_rgb", True),
        }
    if train:
        result["size"] = _final_size(train[0])
        for pad in _padding(train[0]):
            result["pad_val"] = pad.get("pad_val", 0)
            result["seg_pad_val"] = pad.get("seg_pad_val", 255)
    return result


def _check_test(dataset, validated, report):
    """Reports data of the test that are normalised or padded by other numbers."""
    for pipeline in _pipelines(dataset):
        own = list(_flat(pipeline))
        for what in (_normalize, _padding):
            if any(what(own) != what(other) for other in validated):
                report.lacks(
                    "test_dataloader",
                    "another Normalize or Pad than the validation's, whose numbers "
                    "model.data_preprocessor has",
                )


def _pipelines(dataset: Any) -> Iterator[list[Any]]:
    """The pipelines of a data set of 0.x, and of those that it wraps or joins."""
    if isinstance(dataset, (list, tuple)):
        for part in dataset:
            yield from _pipelines(part)
    elif isinstance(dataset, Mapping):
        inner = dataset.get("dataset") or dataset.get("datasets")
        outer = dataset.get("pipeline") or []
        if not isinstance(outer, (list, tuple)):
            raise ConfigError(f"pipeline: expected a list, found {outer!r:.80}")
        if inner is None:
            yield outer
        for pipeline in _pipelines(inner):
            yield [*pipeline, *outer]


def _flat(pipeline):
    """The transforms one by one; MultiScaleFlipAug holds those of the test."""
    for transform in pipeline:
        transform = with_base_type(transform, "pipeline")
        yield transform
        yield from _flat(transforms_of(transform, "pipeline"))


def _normalize(pipeline):
    found = [t for t in pipeline if t.get("type") == "Normalize"]
    return found[-1] if found else None


def _padding(pipeline):
    """The Pads behind Normalize; those before it stay in the pipeline."""
    types = [transform.get("type") for transform in pipeline]
    start = types.index("Normalize") + 1 if "Normalize" in types else len(types)
    return [t for t in pipeline[start:] if t.get("type") == "Pad"]


def _final_size(pipeline):
    """(height, width) that samples are cropped or padded to, or None."""
    size = None
    for transform in pipeline:
        if transform.get("type") == "RandomCrop":
            size = transform.get("crop_size")
        elif transform.get("type") == "Pad":
            size = transform.get("size") or size
        elif transform.get("type") in _CHANGE_THE_SIZE:
            size = None
    return size

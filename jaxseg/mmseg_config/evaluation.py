"""Evaluation of a config: `val_evaluator`, `test_evaluator`, and the `tta` before."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from jaxseg import metrics
from jaxseg.mmseg_config.datasets import evaluated
from jaxseg.mmseg_config.line import is_v0
from jaxseg.mmseg_config.report import Report
from jaxseg.mmseg_config.test_time_aug import (
    read_multi_scale_flip_aug,
    read_tta_pipeline,
)
from jaxseg.mmseg_config.type_names import find_class, with_base_type

_FIELDS = ("iou_metrics", "ignore_index", "nan_to_num", "beta")
# Where results are gathered, and what their names begin with.
_NO_EFFECT = ("collect_device", "prefix", "depth_scale_factor")
# Files of label maps, which flags of the command line ask for.
_FORMATS = ("output_dir", "format_only", "keep_results")


def translate_evaluation(raw: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Makes `val_evaluator`, `test_evaluator` and `tta` of a config of either line.

    `tta` is enabled only if mmseg augments in every test, as some configs of 0.x do.
    Those of 1.x do so with `tools/test.py --tta` alone: there it says what that
    averages over, for `--config.tta.enabled=True`.

    Returns:
        A dict with those of the three keys that the config asks for; `test_evaluator`
        where it differs from `val_evaluator`, by which the test is scored otherwise.
    """
    if is_v0(raw):
        metric = (raw.get("evaluation") or {}).get("metric") or "mIoU"
        parts = {"val_evaluator": _evaluator_of_v0(metric, report)}
        parts["tta"] = _tta_of_v0(raw, report)
    else:
        val, test = raw.get("val_evaluator"), raw.get("test_evaluator")
        parts = {"val_evaluator": _evaluator(val or test, "val_evaluator", report)}
        if test and val and test != val:
            parts["test_evaluator"] = _evaluator(test, "test_evaluator", report)
        parts["tta"] = _tta(raw, report)
    return {key: value for key, value in parts.items() if value is not None}


def _evaluator_of_v0(metric, report):
    names = [metric] if isinstance(metric, str) else list(metric)
    iou = {"type": "IoUMetric", "iou_metrics": [n for n in names if n != "cityscapes"]}
    if "cityscapes" not in names:
        return iou
    official = {"type": "CityscapesMetric"}
    return [iou, official] if iou["iou_metrics"] else official


def _evaluator(used, path, report):
    if not used:
        return None
    several = list(used) if isinstance(used, (list, tuple)) else [used]
    merged: dict[str, Any] = {"type": "IoUMetric", "iou_metrics": []}
    others = []
    for i, evaluator in enumerate(several):
        evaluator = with_base_type(evaluator, path)
        where = f"{path}.{i}" if len(several) > 1 else path
        if evaluator["type"] != "IoUMetric":
            cls = find_class(evaluator["type"], metrics)
            if cls is None:
                report.lacks(path, evaluator["type"])
                continue
            known = {"type", *(field.name for field in dataclasses.fields(cls))}
            others.append({key: v for key, v in evaluator.items() if key in known})
            rest = {key: v for key, v in evaluator.items() if key not in known}
            _note_unused(rest, where, report)
            continue
        names = evaluator.pop("iou_metrics", None) or ["mIoU"]
        names = [names] if isinstance(names, str) else names
        merged["iou_metrics"] += [n for n in names if n not in merged["iou_metrics"]]
        _merge(merged, evaluator, where, report)
    found = [merged, *others] if merged["iou_metrics"] else others
    if not found:
        return dict(several[0])
    return found if len(found) > 1 else found[0]


def _merge(merged, evaluator, path, report):
    """Adds the keys of one IoUMetric to those of the ones before it."""
    for key, value in evaluator.items():
        if key in _FIELDS and merged.setdefault(key, value) != value:
            report.lacks(f"{path}.{key}", f"several IoUMetric of different {key}")
    rest = {k: v for k, v in evaluator.items() if k not in (*_FIELDS, "type")}
    _note_unused(rest, path, report)


def _note_unused(keys, path, report):
    """Reports keys of an evaluator that have no effect here."""
    report.drop(path, [key for key in keys if key in _NO_EFFECT])
    for key, value in keys.items():
        if key in _FORMATS and value:
            report.note(
                f"{path}.{key}: not used; --mode=test --format_only=DIR writes label "
                "maps, and without it the test scores them"
            )
        elif key not in (*_FORMATS, *_NO_EFFECT):
            report.note(f"{path}.{key}: not used")


def _tta_of_v0(raw, report):
    dataset, path = evaluated(raw)
    for i, entry in enumerate(dataset.get("pipeline") or ()):
        where = f"{path}.pipeline.{i}"
        entry = with_base_type(entry, where)
        if entry["type"] == "MultiScaleFlipAug":
            return read_multi_scale_flip_aug(entry, where, report)[0]
    return None


def _tta(raw, report):
    """What `tools/test.py --tta` averages over, not enabled."""
    entries, model = raw.get("tta_pipeline"), raw.get("tta_model") or {}
    if not entries:
        report.drop("", ["tta_model"] if model else [])
        return None
    report.drop_others("tta_model", model, ("type",))
    if model.get("type", "SegTTAModel") != "SegTTAModel":
        report.note(
            f"tta_model: {model['type']} is not used; `tta` is mmseg's own mean"
        )
    tta = read_tta_pipeline(entries, report)
    if tta is None:
        report.note(
            "tta_pipeline: not used; mmseg uses it with --tta alone, and it is not one "
            "of ratios and flips, which `tta` could do"
        )
        return None
    return {"enabled": False, **tta}

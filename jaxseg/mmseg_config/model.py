"""Model of an mmseg config."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from jaxseg import heads as heads_table
from jaxseg.config import ConfigError, plain
from jaxseg.mmseg_config.components import START_KEYS, translate_component
from jaxseg.mmseg_config.line import is_v0
from jaxseg.mmseg_config.preprocess import translate_preprocessor
from jaxseg.mmseg_config.report import Report
from jaxseg.mmseg_config.type_names import base_type, find_class
from jaxseg.segmentors.phases import MODES, TestCfg, TrainCfg

# Keys of test_cfg that mode='slide' alone reads.
_OF_SLIDE = ("crop_size", "stride")


def translate_model(raw: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Translates `model`, with its data_preprocessor and starting weights.

    Args:
        raw: a whole config of either line.
        report: is told what jaxseg does not have.

    Returns:
        Our `model`.

    Raises:
        ConfigError: if there is no model.
    """
    if not isinstance(raw.get("model"), Mapping):
        raise ConfigError("model is missing, or no dict: is this an mmseg config?")
    model = plain(raw["model"])
    v0 = is_v0(raw)
    if v0:
        for key in ("train_cfg", "test_cfg"):  # beside the model before 0.11
            if key not in model and key in raw:
                model[key] = plain(raw[key])
    model.pop("data_preprocessor", None)
    pretrained = _take_pretrained(model, report)
    _give_to_heads(model)
    model["test_cfg"] = _test_cfg(model.get("test_cfg") or {}, report)
    train_cfg = _mapping(model.pop("train_cfg", None) or {}, "model.train_cfg")
    known = _known(train_cfg, TrainCfg, "model.train_cfg", report)
    if known:
        model["train_cfg"] = known
    model = translate_component(model, "model", report, v0)
    model["data_preprocessor"] = translate_preprocessor(raw, report)
    if pretrained is not None:
        model["pretrained"] = pretrained
    return model


def _take_pretrained(
    model: dict[str, Any], report: Report
) -> str | dict[str, str] | None:
    """Takes the backbone's starting weights out of the three places for them."""
    found = {"model.pretrained": model.pop("pretrained", None)}
    if isinstance(model.get("backbone"), Mapping):
        backbone = model["backbone"]
        if not isinstance(backbone.get("pretrained"), bool):  # TIMMBackbone's is one
            found["model.backbone.pretrained"] = backbone.pop("pretrained", None)
        start = backbone.get("init_cfg")
        if isinstance(start, Mapping) and start.get("type") == "Pretrained":
            report.drop_others("model.backbone.init_cfg", start, START_KEYS)
            found["model.backbone.init_cfg"] = _of_init_cfg(start)
            del backbone["init_cfg"]
    found = {path: value for path, value in found.items() if value is not None}
    if len(found) > 1:
        report.note(
            f"{' and '.join(found)} both name the backbone's starting weights, and "
            "mmseg's training refuses that: the last one is used"
        )
    return list(found.values())[-1] if found else None


def _give_to_heads(model: dict[str, Any]) -> None:
    """Moves what a decode head reads of train_cfg and test_cfg into its own entry."""
    heads = model.get("decode_head")
    for head in heads if isinstance(heads, list) else [heads]:
        if not isinstance(head, Mapping) or not isinstance(head.get("type"), str):
            continue
        own = getattr(find_class(base_type(head), heads_table), "phase_keys", ())
        for phase in ("train_cfg", "test_cfg"):
            given = model.get(phase)
            if isinstance(given, Mapping):
                head.update({key: given[key] for key in given if key in own})
                model[phase] = {key: given[key] for key in given if key not in own}


def _of_init_cfg(start: Mapping[str, Any]) -> Any:
    """`pretrained` of init_cfg=dict(type='Pretrained', checkpoint=..., prefix=...)."""
    if start.get("prefix") is None:
        return start.get("checkpoint")
    return {"checkpoint": start.get("checkpoint"), "prefix": start["prefix"]}


def _mapping(value: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{path}: expected a dict, found {value!r:.80}")
    return value


def _known(
    config: Mapping[str, Any], cls: type, path: str, report: Report
) -> dict[str, Any]:
    """The keys that our class has; the others are noted."""
    fields = {field.name for field in dataclasses.fields(cls)}
    for key in config.keys() - fields:
        report.note(f"{path}.{key}={config[key]!r:.60}: not used")
    return {key: value for key, value in config.items() if key in fields}


def _test_cfg(test_cfg: Any, report: Report) -> dict[str, Any]:
    test_cfg = _known(
        _mapping(test_cfg, "model.test_cfg"), TestCfg, "model.test_cfg", report
    )
    mode = test_cfg.get("mode", "whole")
    if mode not in MODES:
        report.lacks("model.test_cfg.mode", f"mode={mode!r}")
    rest = {key: v for key, v in test_cfg.items() if key != "mode" and v is not None}
    if mode == "whole":
        report.drop("model.test_cfg", [key for key in _OF_SLIDE if key in rest])
        rest = {key: v for key, v in rest.items() if key not in _OF_SLIDE}
    sides = {
        key: [value, value] if key in _OF_SLIDE and isinstance(value, int) else value
        for key, value in rest.items()
    }
    return {"mode": mode, **sides}

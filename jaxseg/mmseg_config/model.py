"""The `model` of an mmseg config."""

from collections.abc import Mapping
from typing import Any

from jaxseg.config import ConfigError, plain
from jaxseg.mmseg_config.components import translate_component
from jaxseg.mmseg_config.line import is_v0
from jaxseg.mmseg_config.preprocess import translate_preprocessor
from jaxseg.mmseg_config.report import Report


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
    model["test_cfg"] = _test_cfg(model.get("test_cfg") or {}, report)
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
        found["model.backbone.pretrained"] = backbone.pop("pretrained", None)
        start = backbone.get("init_cfg")
        if isinstance(start, Mapping) and start.get("type") == "Pretrained":
            found["model.backbone.init_cfg"] = _of_init_cfg(start)
            del backbone["init_cfg"]
    found = {path: value for path, value in found.items() if value is not None}
    if len(found) > 1:
        report.note(
            f"{' and '.join(found)} both name the backbone's starting weights, and "
            "mmseg's training refuses that: the last one is used"
        )
    return list(found.values())[-1] if found else None


def _of_init_cfg(start: Mapping[str, Any]) -> Any:
    """`pretrained` of init_cfg=dict(type='Pretrained', checkpoint=..., prefix=...)."""
    if start.get("prefix") is None:
        return start.get("checkpoint")
    return {"checkpoint": start.get("checkpoint"), "prefix": start["prefix"]}


def _test_cfg(test_cfg: Mapping[str, Any], report: Report) -> dict[str, Any]:
    mode = test_cfg.get("mode", "whole")
    if mode not in ("whole", "slide"):
        report.lacks("model.test_cfg.mode", f"mode={mode!r}")
    if mode == "whole":
        return {"mode": mode}
    sides = {
        key: [value, value] if isinstance(value, int) else value
        for key in ("crop_size", "stride")
        if (value := test_cfg.get(key)) is not None
    }
    return {"mode": mode, **sides}

"""Components of a model: mmseg's keys -> the fields of our classes."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn

from jaxseg.config import ConfigError
from jaxseg.mmseg_config.report import Report
from jaxseg.mmseg_config.type_names import with_base_type
from jaxseg.registry import lookup
from jaxseg.resolve import MODEL_TABLES
from jaxseg.weights.part import Part

# Keys that our classes do not have, with the values that ask for nothing: mmseg's
# defaults. A class that has such a key as a field keeps it.
_ASKS_FOR_NOTHING = {
    "cache_feature": (True, False),
    "conv_cfg": (None, {"type": "Conv2d"}),
    "dcn": (None,),
    "extra_convs_on_inputs": (False,),
    "inplace": (True, False),
    "num_fcs": (2,),
    "plugins": (None,),
    "pretrained": (None,),
    "reduction": ("mean",),
    "use_mask": (False,),
}

# Of an init_cfg of type Pretrained.
START_KEYS = ("type", "checkpoint", "prefix")

# Starting values that mmseg's classes have when a config says nothing, and ours too.
_SAME_START = (
    None,
    {"type": "Normal", "std": 0.01, "override": {"name": "conv_seg"}},
    [
        {"type": "Kaiming", "layer": "Conv2d"},
        {"type": "Constant", "val": 1, "layer": ["_BatchNorm", "GroupNorm"]},
    ],
)


def _find_class(config: Mapping[str, Any]) -> type | None:
    """The class of an entry of a model, or None where jaxseg does not have it."""
    try:
        return lookup(config["type"], "", MODEL_TABLES, keys=config.keys())
    except ConfigError:
        return None


def translate_component(config: Any, path: str, report: Report, v0: bool) -> Any:
    """Translates a piece of a model with all that is inside.

    Args:
        config: any value of a model's config.
        path: where it stands, `model.backbone`.
        report: is told of types and keys that jaxseg does not have.
        v0: whether the config is one of mmseg 0.x, where some types compute
            something else under the same name.

    Raises:
        ConfigError: for a `type` that is no name.
    """
    if isinstance(config, (list, tuple)):
        return [
            translate_component(child, f"{path}.{i}", report, v0)
            for i, child in enumerate(config)
        ]
    if not isinstance(config, Mapping):
        return config
    config = dict(config)
    if "type" in config:
        config = with_base_type(config, path)
        name = config["type"]
        start = config.pop("init_cfg", None)
        if v0:
            config |= _meaning_in_v0(config)
        cls = _find_class(config)
        if cls is None:
            report.lacks(path, name)
        else:
            config = _our_keys(cls, config, path, report)
            if _is_pretrained(start) and issubclass(cls, Part):
                report.drop_others(f"{path}.init_cfg", start, START_KEYS)
                config["init_cfg"] = {k: start[k] for k in START_KEYS if k in start}
            elif start not in _SAME_START:
                report.note(
                    f"{path}.init_cfg: not honoured, it starts as mmseg's {name} does "
                    "without one"
                )
    return {
        key: value
        if value in _ASKS_FOR_NOTHING.get(key, ())
        else translate_component(value, f"{path}.{key}", report, v0)
        for key, value in config.items()
    }


def _is_pretrained(start: Any) -> bool:
    return isinstance(start, Mapping) and start.get("type") == "Pretrained"


def _meaning_in_v0(config: Mapping[str, Any]) -> dict[str, Any]:
    """The keys that say in our words what a type of mmseg 0.x computes."""
    name = config["type"]
    if name == "VisionTransformer":
        return {"patch_bias": True}
    if name == "DiceLoss":
        return {"type": "DiceLossV0"}
    if name == "CrossEntropyLoss" and config.get("class_weight") is not None:
        return {"weighted_mean": False}
    return {}


def _our_keys(cls, config, path, report):
    fields = {field.name for field in dataclasses.fields(cls)} | {"type"}
    if issubclass(cls, nn.Module):
        fields -= {"parent", "name"}
    kept = {}
    for key, value in config.items():
        if key not in fields:
            if value in _ASKS_FOR_NOTHING.get(key, ()):
                continue
            report.lacks(f"{path}.{key}", f"{config['type']}({key}={value!r:.60})")
        kept[key] = value
    return kept

"""Optimiser: `optim_wrapper` of 1.x, `optimizer` and `optimizer_config` of 0.x."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from jaxseg.config import plain
from jaxseg.mmseg_config.line import is_v0
from jaxseg.mmseg_config.report import Report
from jaxseg.optim import torch_optimizers
from jaxseg.optim.layer_decay import DECAY_TYPES
from jaxseg.optim.optimizers import is_known
from jaxseg.optim.param_groups import CONSTRUCTORS
from jaxseg.optim.parameters import Multipliers
from jaxseg.registry import is_registered

PATH = "optim_wrapper"

_DEFAULT_CONSTRUCTORS = (
    "DefaultOptimWrapperConstructor",
    "DefaultOptimizerConstructor",
)
_FORCE_DEFAULT = "ForceDefaultOptimWrapperConstructor"
_LAYER_DECAY = "LearningRateDecayOptimizerConstructor"

# Of 0.x's optimizer hooks: how torch's processes sum gradients.
_OF_TORCH_PROCESSES = (
    "distributed",
    "coalesce",
    "bucket_size_mb",
    "detect_anomalous_params",
)

# Of AmpOptimWrapper, which here computes in bfloat16.
_OF_FLOAT16 = ("dtype", "loss_scale", "use_fsdp")

# Arguments of torch's optimisers that ours lack, with the values that ask for nothing.
_ASKS_FOR_NOTHING = {
    "amsgrad": False,
    "capturable": False,
    "differentiable": False,
    "dampening": 0,
    "foreach": None,
    "fused": None,
    "maximize": False,
}


def translate_optimizer(raw: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Makes `optim_wrapper` of a config of either line; {} where there is none."""
    wrapper = _from_v0(raw, report) if is_v0(raw) else _from_v1(raw, report)
    if not wrapper:
        return {}
    result = {
        "type": wrapper.pop("type", "OptimWrapper"),
        "optimizer": _optimizer(dict(wrapper.pop("optimizer", None) or {}), report),
    }
    if result["type"] not in ("OptimWrapper", "AmpOptimWrapper"):
        report.lacks(PATH, result["type"])
    clip = wrapper.pop("clip_grad", None)
    if clip:
        result["clip_grad"] = _clip_grad(clip, report)
    if wrapper.get("accumulative_counts", 1) != 1:
        result["accumulative_counts"] = wrapper["accumulative_counts"]
    wrapper.pop("accumulative_counts", None)
    constructor = wrapper.pop("constructor", None) or _DEFAULT_CONSTRUCTORS[0]
    result |= _groups(constructor, wrapper.pop("paramwise_cfg", None) or {}, report)
    if result["type"] == "AmpOptimWrapper":
        report.drop(PATH, [key for key in _OF_FLOAT16 if key in wrapper])
        for key in _OF_FLOAT16:
            wrapper.pop(key, None)
        report.note(
            f"{PATH}: AmpOptimWrapper computes in bfloat16, not in float16, and needs "
            "no loss_scale"
        )
    for key, value in wrapper.items():
        report.note(f"{PATH}.{key}={value!r:.60}: not honoured")
    return result


def _from_v1(raw, report):
    wrapper = plain(raw.get(PATH) or {})
    unused = raw.get("optimizer")
    if unused is not None and plain(unused) != wrapper.get("optimizer"):
        report.note("optimizer: not used, as in mmseg 1.x; optim_wrapper.optimizer is")
    return wrapper


def _from_v0(raw, report):
    """Brings the keys of 0.x, and its optimizer hooks, under the names of 1.x."""
    if not raw.get("optimizer"):
        return {}
    optimizer = plain(raw["optimizer"])
    hook = plain(raw.get("optimizer_config") or {})
    wrapper = {
        key: optimizer.pop(key)
        for key in ("paramwise_cfg", "constructor")
        if key in optimizer
    }
    wrapper["optimizer"] = optimizer
    name = hook.pop("type", "OptimizerHook")
    if name not in (
        "OptimizerHook",
        "Fp16OptimizerHook",
        "GradientCumulativeOptimizerHook",
        "GradientCumulativeFp16OptimizerHook",
    ):
        report.lacks(PATH, name)
    if "Fp16" in name:
        wrapper["type"] = "AmpOptimWrapper"
        report.drop("", [key for key in ("fp16",) if key in raw])
    elif raw.get("fp16") is not None:
        report.note(
            "fp16: without effect in training, as in mmseg, where Fp16OptimizerHook "
            "in optimizer_config asks for it"
        )
    renamed = {"grad_clip": "clip_grad", "cumulative_iters": "accumulative_counts"}
    report.drop(PATH, [key for key in _OF_TORCH_PROCESSES if key in hook])
    for key in _OF_TORCH_PROCESSES:
        hook.pop(key, None)
    return wrapper | {renamed.get(key, key): value for key, value in hook.items()}


def _optimizer(optimizer, report):
    path, name = f"{PATH}.optimizer", optimizer.get("type")
    if name not in torch_optimizers.__all__:
        if not is_known(name):
            report.lacks(path, str(name))
        return optimizer
    fields = {f.name for f in dataclasses.fields(getattr(torch_optimizers, name))}
    for key in set(optimizer) - fields - {"type"}:
        if key in _ASKS_FOR_NOTHING and optimizer[key] == _ASKS_FOR_NOTHING[key]:
            del optimizer[key]
        else:
            report.lacks(f"{path}.{key}", f"{name}({key}={optimizer[key]!r:.60})")
    return optimizer


def _clip_grad(clip, report):
    """As mmengine reads it: `type`, and the arguments of torch's function."""
    kind = clip.get("type", "norm")
    known = {"norm": ("max_norm", "norm_type"), "value": ("clip_value",)}
    if kind not in known:
        report.lacks(f"{PATH}.clip_grad", f"type={kind!r}")
        return clip
    # How torch computes, and what it does about a norm that is not finite.
    report.drop(
        f"{PATH}.clip_grad", [key for key in clip if key not in ("type", *known[kind])]
    )
    result = {key: clip[key] for key in known[kind] if key in clip}
    return result if kind == "norm" else {"type": kind, **result}


def _groups(constructor, paramwise_cfg, report):
    """`constructor` and `paramwise_cfg`, as far as they say something."""
    if constructor in _DEFAULT_CONSTRUCTORS:
        rules = _default_rules(_DEFAULT_CONSTRUCTORS[0], paramwise_cfg, report)
        return {"paramwise_cfg": rules} if rules else {}
    if constructor == _FORCE_DEFAULT:
        rules = _default_rules(constructor, paramwise_cfg, report)
        return {"constructor": constructor, "paramwise_cfg": rules}
    if constructor == "LayerDecayOptimizerConstructor":  # its older name
        constructor = _LAYER_DECAY
        paramwise_cfg["decay_rate"] = paramwise_cfg.pop("layer_decay_rate", None)
        paramwise_cfg["decay_type"] = "layer_wise"
    if is_registered(constructor):
        return {"constructor": constructor, "paramwise_cfg": paramwise_cfg}
    if constructor not in CONSTRUCTORS:
        report.lacks(f"{PATH}.constructor", constructor)
        return {"constructor": constructor, "paramwise_cfg": paramwise_cfg}
    known = ("num_layers", "decay_rate")
    report.drop_others(f"{PATH}.paramwise_cfg", paramwise_cfg, (*known, "decay_type"))
    rules = {key: paramwise_cfg[key] for key in known if key in paramwise_cfg}
    kind = paramwise_cfg.get("decay_type", "layer_wise").removesuffix("_vit")
    if kind not in DECAY_TYPES:
        report.lacks(f"{PATH}.paramwise_cfg.decay_type", f"decay_type={kind!r}")
    return {"constructor": constructor, "paramwise_cfg": rules | {"decay_type": kind}}


def _default_rules(constructor, paramwise_cfg, report):
    known = {field.name for field in dataclasses.fields(CONSTRUCTORS[constructor])}
    path = f"{PATH}.paramwise_cfg"
    rules = {}
    for key, value in paramwise_cfg.items():
        if key in known - {"custom_keys"}:
            rules[key] = value
        elif key != "custom_keys":
            report.note(f"{path}.{key}={value!r:.60}: not honoured")
    custom = paramwise_cfg.get("custom_keys")
    if custom:
        multipliers = {f.name for f in dataclasses.fields(Multipliers)}
        custom = {name: rule or {} for name, rule in custom.items()}
        for name, rule in custom.items():
            for key in rule.keys() - multipliers:
                report.note(
                    f"{path}.custom_keys.{name}.{key}: mmseg does not read it, either"
                )
        rules["custom_keys"] = {
            name: {key: rule[key] for key in rule if key in multipliers}
            for name, rule in custom.items()
        }
        # mmengine passes over a custom key that is in no parameter's name.
        rules["allow_unmatched"] = True
    return rules

"""Training of a config: optimiser, schedule, length, hooks."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from jaxseg import hooks as hooks_table
from jaxseg.checkpoint.layout import run_of
from jaxseg.config import ConfigError
from jaxseg.hooks.rule import RULES
from jaxseg.mmseg_config.line import is_v0
from jaxseg.mmseg_config.optimizer import translate_optimizer
from jaxseg.mmseg_config.program import note_program, validates_by_workflow
from jaxseg.mmseg_config.report import Report
from jaxseg.mmseg_config.schedule import translate_schedule
from jaxseg.mmseg_config.type_names import find_class
from jaxseg.settings.loop import CheckpointHook

# Of a checkpoint hook.
_NOT_HONOURED = ("save_begin", "out_dir", "published_keys", "filename_tmpl")

# What a loop counts.
_COUNTED_BY = {
    "EpochBasedRunner": "max_epochs",
    "EpochBasedTrainLoop": "max_epochs",
    "IterBasedRunner": "max_iters",
    "IterBasedTrainLoop": "max_iters",
}

# Values of train_cfg that are the defaults.
_SAYS_NOTHING = {"val_begin": 1, "dynamic_intervals": []}

# Hooks of every run that are hooks here, too.
_KEPT_HOOKS = {"checkpoint": "CheckpointHook", "logger": "LoggerHook"}

# Hooks of every run whose work is done without them here.
_PART_OF_THE_LOOP = ("timer", "param_scheduler", "sampler_seed", "runtime_info")


def translate_training(raw: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Translates what only the training needs, but for the data.

    Args:
        raw: a whole config of either line.
        report: is told what jaxseg does not have, and what is not honoured.

    Returns:
        Our `optim_wrapper`, `param_scheduler`, `train_cfg`, `default_hooks`,
        `randomness`, `ema`, `load_from` and `resume_from`, as far as the config has them.
    """
    train_cfg = _length_v0(raw, report) if is_v0(raw) else _length_v1(raw, report)
    by_epoch = "max_epochs" in train_cfg
    if is_v0(raw):
        hooks = _hooks_v0(raw, by_epoch, report)
    else:
        hooks = _hooks_v1(raw, report)
    result = {
        "optim_wrapper": translate_optimizer(raw, report),
        "param_scheduler": translate_schedule(raw, train_cfg, report),
        "train_cfg": train_cfg,
        "default_hooks": {
            "checkpoint": _checkpoint(hooks["checkpoint"], train_cfg, report),
            "logger": {"interval": hooks["log_interval"]},
        },
        "randomness": _randomness(raw, report),
        "ema": _ema(raw, report),
        "custom_hooks": _custom_hooks(raw, report),
        "load_from": _load_from(raw, report),
        "resume_from": _resume_from(raw),
    }
    note_program(raw, report)
    return {key: value for key, value in result.items() if value}


def _length_v1(raw, report):
    """`train_cfg`: a loop of iterations or epochs, or what there is in its place."""
    config = raw.get("train_cfg")
    if not config:
        return {}
    config = dict(config)
    by_epoch = config.pop("by_epoch", "max_epochs" in config)
    name = config.get("type") or ("Epoch" if by_epoch else "Iter") + "BasedTrainLoop"
    if name not in _COUNTED_BY:
        report.lacks("train_cfg", name)
        return config | {"type": name}
    length = _COUNTED_BY[name]
    known = ("type", length, "val_interval", "val_begin", "dynamic_intervals")
    report.drop_others("train_cfg", config, known)
    default = {"val_interval": 1 if length == "max_epochs" else 1000}
    kept = {
        key: config[key]
        for key in known[1:]
        if config.get(key) not in (None, _SAYS_NOTHING.get(key))
    }
    return default | kept


def _length_v0(raw, report):
    """`runner`, or the older `total_iters`, and evaluation.interval."""
    runner = raw.get("runner") or {}
    total = raw.get("total_iters")
    if runner and total is not None and total != runner.get("max_iters"):
        raise ConfigError(
            f"total_iters is {total}, and runner.max_iters {runner.get('max_iters')}; "
            "mmseg refuses that, too: leave out total_iters"
        )
    if not runner:
        if total is not None:
            runner = {"type": "IterBasedRunner", "max_iters": total}
        elif "total_epochs" in raw:
            runner = {"type": "EpochBasedRunner", "max_epochs": raw["total_epochs"]}
    if not runner:
        return {}
    if runner.get("type") not in _COUNTED_BY:
        report.lacks("train_cfg", str(runner.get("type")))
        return dict(runner)
    length = _COUNTED_BY[runner["type"]]
    report.drop_others("runner", runner, ("type", length))
    evaluation = raw.get("evaluation") or {}
    known = ("interval", "start", "metric", "save_best", "rule")
    report.drop_others("evaluation", evaluation, known)
    interval = evaluation.get("interval", 1 if length == "max_epochs" else None)
    start = evaluation.get("start")
    if start and interval and start % interval:
        report.note(
            f"evaluation.start={start}: the run is evaluated from there on at multiples "
            f"of interval={interval}, where mmcv counts the interval from the start"
        )
    return (
        _present(runner, length)
        | {"val_interval": interval}
        | ({"val_begin": start} if start else {})
        | ({"val_loss": True} if validates_by_workflow(raw) else {})
    )


def _present(config, key):
    """The key, if it is there; settings.py says what a missing one means."""
    return {key: config[key]} if key in config else {}


def _hooks_v1(raw, report):
    hooks = raw.get("default_hooks") or {}
    for name, hook in hooks.items():
        kind = (hook or {}).get("type")
        if name in _KEPT_HOOKS:
            if kind not in (None, _KEPT_HOOKS[name]):
                report.note(
                    f"default_hooks.{name}: {kind} is not run; its keys are those of a "
                    f"{_KEPT_HOOKS[name]} here"
                )
        elif _does_nothing(name, hook):
            report.drop("default_hooks", [name])
        else:
            report.note(f"default_hooks.{name}: {kind} is not run")
    # mmengine's own default counts epochs, of which a run of iterations has one.
    checkpoint = {"by_epoch": True, **(hooks.get("checkpoint") or {})}
    logger = hooks.get("logger") or {}
    report.drop_others("default_hooks.logger", logger, ("type", "interval"))
    return {"checkpoint": checkpoint, "log_interval": logger.get("interval", 10)}


def _does_nothing(name, hook):
    """Whether nobody misses a hook, and what it does."""
    draws = name == "visualization" and hook and hook.get("draw")
    return (
        not hook or name in _PART_OF_THE_LOOP or name == "visualization" and not draws
    )


def _hooks_v0(raw, by_epoch, report):
    # mmseg's training sets it; mmcv's runner of iterations does, too.
    checkpoint = {"by_epoch": by_epoch, **(raw.get("checkpoint_config") or {})}
    evaluation = raw.get("evaluation") or {}
    for key in ("save_best", "rule"):
        if evaluation.get(key):
            checkpoint[key] = evaluation[key]
    log_config = raw.get("log_config") or {}
    report.drop_others("log_config", log_config, ("interval", "hooks"))
    return {"checkpoint": checkpoint, "log_interval": log_config.get("interval", 10)}


def _checkpoint(hook, train_cfg, report):
    path = "default_hooks.checkpoint"
    hook = {key: value for key, value in hook.items() if value is not None}
    interval = hook.get("interval", -1)
    max_iters, max_epochs = train_cfg.get("max_iters"), train_cfg.get("max_epochs")
    by_epoch = bool(hook.get("by_epoch"))
    if by_epoch and interval > 0 and max_epochs is None:
        report.note(
            f"{path}.interval={interval}: not honoured, it counts epochs"
            + (
                ", of which a run of iterations has one: the last checkpoint alone is "
                "kept (and the best, with save_best)"
                if max_iters is not None
                else ""
            )
        )
        interval = -1
    keep = hook.get("max_keep_ckpts", -1)
    for key in _NOT_HONOURED:
        if hook.get(key):
            report.note(f"{path}.{key}={hook[key]!r}: not honoured")
    known = ("type", "by_epoch", "interval", "max_keep_ckpts", "save_best", "rule")
    known += ("save_optimizer", *_NOT_HONOURED)
    report.drop_others(path, hook, known)
    result = {"save_best": _save_best(hook, path, report)}
    if hook.get("save_optimizer") is False:
        result["save_optimizer"] = False
    if hook.get("rule") in RULES and result["save_best"]:
        result["rule"] = hook["rule"]
    last = max_iters if max_epochs is None else max_epochs
    if max_epochs is not None and not by_epoch and interval > 0:
        result["interval"] = interval
        if keep <= 0:
            report.note(
                f"{path}.max_keep_ckpts: mmseg keeps all; the latest "
                f"{CheckpointHook.max_keep_ckpts} are kept"
            )
    elif last is not None:
        result["interval"] = interval if 0 < interval < last else last
        if max_epochs is not None:
            result["by_epoch"] = True
        if keep <= 0:  # where mmseg keeps all, their number is said
            keep = -(-last // result["interval"])
    return result | ({"max_keep_ckpts": keep} if keep > 0 else {})


def _save_best(hook, path, report):
    best = hook.get("save_best")
    if isinstance(best, list):
        if len(best) > 1:
            report.note(f"{path}.save_best: of {best}, the first is used")
        best = best[0] if best else None
    if best is None:
        return None
    # The first score of an evaluation, whatever its iou_metrics are.
    return "aAcc" if best == "auto" else best


def _randomness(raw, report):
    report.drop_others("randomness", raw.get("randomness") or {}, ("seed",))
    seed = (raw.get("randomness") or {}).get("seed", raw.get("seed"))
    return {} if seed is None else {"seed": seed}


def _ema(raw, report):
    result = {}
    for i, hook in enumerate(raw.get("custom_hooks") or []):
        path, name = f"custom_hooks.{i}", hook.get("type")
        if name != "EMAHook":
            continue
        kind = hook.get("ema_type", "ExponentialMovingAverage")
        if kind != "ExponentialMovingAverage":
            report.lacks("ema", f"EMAHook(ema_type={kind!r})")
        for key in ("begin_iter", "begin_epoch", "interval", "resume_from"):
            if hook.get(key) not in (None, 0, 1):
                report.note(f"{path}.{key}={hook[key]!r}: not honoured")
        read = ("type", "ema_type", "momentum", "begin_iter", "begin_epoch")
        report.drop_others(path, hook, (*read, "interval", "resume_from"))
        result = {"momentum": hook.get("momentum", 0.0002)}
    return result


def _custom_hooks(raw, report):
    """The hooks that we have, by their names; EMAHook is `ema`."""
    result = []
    for i, hook in enumerate(raw.get("custom_hooks") or []):
        path, name = f"custom_hooks.{i}", hook.get("type")
        cls = find_class(str(name), hooks_table)
        if cls is None:
            if name != "EMAHook":
                report.note(f"{path}: {name} is not run")
            continue
        known = {field.name for field in dataclasses.fields(cls)} | {"type"}
        report.drop_others(path, hook, known)
        result.append({key: value for key, value in hook.items() if key in known})
    return result


def _resume_from(raw):
    """What a run goes on from: the file of a run of ours; others have weights alone."""
    resume = raw.get("resume_from") or (raw.get("resume") and raw.get("load_from"))
    return resume if resume and run_of(resume) else None


def _load_from(raw, report):
    resume = raw.get("resume_from") or (raw.get("resume") and raw.get("load_from"))
    if resume and run_of(resume):
        return None
    if resume:
        report.note(
            f"resume of {resume!r}: its weights are taken, not its optimiser and "
            "iteration; a run in --workdir is gone on with by itself"
        )
    elif raw.get("resume"):
        report.note(
            f"resume={raw['resume']!r:.40}: not used; a run in --workdir is gone on with "
            "by itself"
        )
    return resume or raw.get("load_from")

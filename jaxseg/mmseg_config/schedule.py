"""Schedules: `param_scheduler` of 1.x, `lr_config` and `momentum_config` of 0.x."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from jaxseg.config import plain
from jaxseg.mmseg_config.line import is_v0
from jaxseg.mmseg_config.report import Report
from jaxseg.mmseg_config.type_names import find_class
from jaxseg.optim import (
    lr_updaters,
    momentum_schedulers,
    momentum_updaters,
    plateau,
    schedulers,
)

PATH = "param_scheduler"

_V0_KEYS = {"Lr": "lr_config", "Momentum": "momentum_config"}

# What is printed, and what resuming needs in mmengine.
_NO_EFFECT = ("verbose", "last_step")


def translate_schedule(
    raw: Mapping[str, Any], train_cfg: Mapping[str, Any], report: Report
) -> list[dict[str, Any]]:
    """Makes `param_scheduler` of a config of either line.

    Each line keeps its own arithmetic: a poly of 0.x and one of 1.x differ by some
    1e-5 of the learning rate, and in how they meet a warm-up.

    Args:
        raw: a whole config.
        train_cfg: ours, which counts iterations or epochs.
        report: is told what jaxseg does not have.
    """
    if is_v0(raw):
        entries = []
        for kind, table in (("Lr", lr_updaters), ("Momentum", momentum_updaters)):
            part = plain(raw.get(_V0_KEYS[kind]) or {})
            entries += _from_v0(part, kind, table, len(entries), train_cfg, report)
        return entries
    entries = plain(raw.get(PATH) or [])
    entries = [entries] if isinstance(entries, Mapping) else entries
    by_epoch = "max_epochs" in train_cfg
    return [
        _from_v1(entry, by_epoch, f"{PATH}.{i}", report)
        for i, entry in enumerate(entries)
    ]


def _from_v1(entry, by_epoch, path, report):
    name = entry.get("type")
    tables = (schedulers, momentum_schedulers, plateau)
    cls = next(filter(None, (find_class(str(name), table) for table in tables)), None)
    if cls is None:
        report.lacks(path, str(name))
        return entry
    if issubclass(cls, plateau.Plateau):
        return _plateau(entry, cls, by_epoch, path, report)
    # Where an entry says nothing, mmengine counts epochs.
    entry["by_epoch"] = entry.get("by_epoch", True)
    if entry["by_epoch"] and not by_epoch:
        report.lacks(f"{path}.by_epoch", f"{name}(by_epoch=True)")
    if entry.get("param_name", "lr") != "lr":
        report.lacks(path, f"{name}(param_name={entry['param_name']!r:.40})")
    report.drop(path, [key for key in _NO_EFFECT if key in entry])
    for key in (*_NO_EFFECT, "param_name"):
        entry.pop(key, None)
    _check_keys(entry, cls, path, report)
    return entry


def _plateau(entry, cls, by_epoch, path, report):
    """What steps after evaluations; mmengine's defaults, where ours are others."""
    entry = {"monitor": "loss", "rule": "less", "by_epoch": True} | entry
    if not by_epoch and entry.get("begin", 0) == 0:  # its epochs stay at 0 there
        entry["by_epoch"] = False
        entry.pop("end", None)
    if entry["by_epoch"] and not by_epoch:
        report.lacks(f"{path}.by_epoch", f"{entry['type']}(by_epoch=True)")
    # A reduction by less than `eps` is none.
    report.drop(path, [key for key in (*_NO_EFFECT, "eps") if entry.pop(key, 0)])
    _check_keys(entry, cls, path, report)
    return entry


def _from_v0(config, kind, table, i, train_cfg, report):
    """The entry of `lr_config` or `momentum_config`, in a list; [] without a policy."""
    if not config:
        return []
    policy = config.pop("policy", None) or "fixed"
    policy = policy.title() if policy == policy.lower() else policy
    if policy == "Fixed" and not config.get("warmup"):
        return []
    path, name = f"{PATH}.{i}", f"{policy}{kind}Updater"
    entry = {"type": name, **config}
    if name not in table.__all__:
        report.lacks(path, name)
        return [entry]
    cls = getattr(table, name)
    # An IterBasedRunner counts iterations where nothing is said, the other one epochs.
    max_epochs, last = train_cfg.get("max_epochs"), train_cfg.get("max_iters")
    by_epoch = cls.takes_epochs and max_epochs is not None
    entry["by_epoch"] = entry.get("by_epoch", by_epoch)
    counts = (("by_epoch", "by_epoch"), ("warmup_by_epoch", "warmup_iters"))
    for key, counted in counts:
        if not entry.get(key):
            entry.pop(key, None)
        elif max_epochs is None:
            report.lacks(f"{path}.{counted}", f"{name}({key}=True)")
    if entry.get("by_epoch"):
        last = max_epochs
    if isinstance(entry.get("step"), int) and last:
        # One number stands for all its multiples.
        entry["step"] = list(range(entry["step"], last, entry["step"]))
    _check_keys(entry, cls, path, report)
    return [entry]


def _check_keys(entry, cls, path, report):
    known = {field.name for field in dataclasses.fields(cls)} | {"type"}
    for key in entry.keys() - known:
        report.lacks(f"{path}.{key}", f"{entry['type']}({key}={entry[key]!r:.60})")

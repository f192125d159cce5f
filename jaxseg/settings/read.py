"""Settings: the parts of a config that are no model, resolved together."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from input_pipeline import datasets, transforms
from jaxseg import hooks, metrics, settings
from jaxseg.config import ConfigError
from jaxseg.errors import FieldError
from jaxseg.hooks.hook import Hook
from jaxseg.metrics.metric import Metric
from jaxseg.resolve import resolve
from jaxseg.settings.cache import read_from_cache
from jaxseg.settings.device_augment import with_augmentation_on_device
from jaxseg.settings.loaders import DataLoader
from jaxseg.settings.logger import LoggerHook
from jaxseg.settings.loop import (
    CheckpointHook,
    EMAHook,
    EpochBasedTrainLoop,
    IterBasedTrainLoop,
    Randomness,
)
from jaxseg.settings.tta import TestTimeAug, without_resizing
from jaxseg.settings.val_loss import val_loss_loader
from jaxseg.settings.xla_flags import read_xla_flags

_SPLITS = ("train", "val", "test")
_LOADERS = tuple(f"{split}_dataloader" for split in _SPLITS)
_EVALUATED = _LOADERS[1:]


@dataclasses.dataclass(frozen=True)
class Settings:
    """All of them, resolved.

    A loader that the config does not have is None, and so is a `tta` that is not
    enabled. With one, the pipelines of val_dataloader and test_dataloader have no
    resizing. Without test_evaluator the test is scored by val_evaluator.
    `val_loss_dataloader` is what train_cfg.val_loss asks for.
    """

    train_loop: IterBasedTrainLoop | EpochBasedTrainLoop | None
    checkpoint: CheckpointHook
    logger: LoggerHook
    hooks: tuple[Hook, ...]
    randomness: Randomness
    ema: EMAHook | None
    train_dataloader: DataLoader | None
    val_dataloader: DataLoader | None
    val_evaluator: tuple[Metric, ...]
    test_dataloader: DataLoader | None
    test_evaluator: tuple[Metric, ...]
    val_loss_dataloader: DataLoader | None
    tta: TestTimeAug | None
    xla_flags: Mapping[str, Any]

    def by_iterations(self, epoch_length: int) -> "Settings":
        """The same, with all that counts epochs counted in iterations.

        Args:
            epoch_length: iterations of an epoch.

        Raises:
            ConfigError: if a part counts epochs in a run of iterations.
        """
        loop = self.train_loop
        if not isinstance(loop, EpochBasedTrainLoop):
            if self.checkpoint.by_epoch:
                raise ConfigError(
                    "default_hooks.checkpoint.by_epoch: True counts epochs, and "
                    "train_cfg iterations (train_cfg.max_epochs counts epochs)"
                )
            return self
        try:
            loop = loop.by_iterations(epoch_length)
        except FieldError as error:
            raise ConfigError(f"train_cfg: {error}") from error
        checkpoint = self.checkpoint.by_iterations(epoch_length)
        return dataclasses.replace(self, train_loop=loop, checkpoint=checkpoint)


def loop_type(train_cfg: Mapping[str, Any]) -> str:
    """The type of a `train_cfg`, which says it or counts epochs or iterations."""
    by_epoch = "max_epochs" in train_cfg
    default = "EpochBasedTrainLoop" if by_epoch else "IterBasedTrainLoop"
    return train_cfg.get("type") or default


def read_settings(
    config: Mapping[str, Any], splits: Sequence[str] = ("train", "val")
) -> Settings:
    """Resolves every part of a config but the model, the optimiser and the mesh.

    Args:
        config: a config.
        splits: those of 'train', 'val' and 'test' whose loaders are made. The data of
            the others need not be there.

    Raises:
        ConfigError: naming the path of what is wrong.
        DataError: if a data set cannot be used.
    """
    unread = [f"{name}_dataloader" for name in _SPLITS if name not in splits]
    config = {key: value for key, value in config.items() if key not in unread}
    for name in ("default_hooks", *_LOADERS):
        if not isinstance(config.get(name) or {}, Mapping):
            raise ConfigError(f"{name} is {config[name]!r:.80}, it takes a dict")
    defaults = config.get("default_hooks") or {}
    for name in defaults:
        if name not in ("checkpoint", "logger"):
            raise ConfigError(
                f"default_hooks.{name}: no such hook, there are checkpoint and logger"
            )
    for name in _LOADERS:
        if (config.get(name) or {}).get("cache"):
            config = {**config, name: read_from_cache(config[name], name)}
    for name in _EVALUATED:
        if (config.get(name) or {}).get("augment_on_device"):
            raise ConfigError(f"{name}.augment_on_device: it is for training only")
    loader = config.get("train_dataloader") or {}
    if loader.get("augment_on_device"):
        loader = with_augmentation_on_device(loader, "train_dataloader")
        config = {**config, "train_dataloader": loader}
    val_loss_dataloader = _read_val_loss(config)
    tta = _read(config, "tta", "TestTimeAug")
    if tta is not None and not tta.enabled:
        tta = None
    for name in _EVALUATED if tta is not None else ():
        if config.get(name):
            config = {**config, name: _at_own_size(config[name], name)}
    val_evaluator = _read_metrics(config, "val_evaluator", (metrics.IoUMetric(),))
    return Settings(
        train_loop=_read(config, "train_cfg", loop_type),
        checkpoint=_read(defaults, "checkpoint", "CheckpointHook", "default_hooks."),
        logger=_read(defaults, "logger", "LoggerHook", "default_hooks."),
        hooks=_read_hooks(config),
        randomness=_read(config, "randomness", "Randomness"),
        ema=_read(config, "ema", "EMAHook"),
        train_dataloader=_read(config, "train_dataloader", "DataLoader"),
        val_dataloader=_read(config, "val_dataloader", "DataLoader"),
        val_evaluator=val_evaluator,
        test_dataloader=_read(config, "test_dataloader", "DataLoader"),
        test_evaluator=_read_metrics(config, "test_evaluator", val_evaluator),
        val_loss_dataloader=val_loss_dataloader,
        tta=tta,
        xla_flags=read_xla_flags(config),
    )


def _read_val_loss(config):
    """The loader of train_cfg.val_loss, or None."""
    train_cfg = config.get("train_cfg")
    if not isinstance(train_cfg, Mapping) or not train_cfg.get("val_loss"):
        return None
    for name in _LOADERS[:2]:
        if not config.get(name):
            raise ConfigError(f"train_cfg.val_loss: there is no {name}")
    loader = val_loss_loader(*(config[name] for name in _LOADERS[:2]))
    return _read({"val_dataloader": loader}, "val_dataloader", "DataLoader")


def _read_hooks(config):
    path, entries = "custom_hooks", config.get("custom_hooks") or []
    if not isinstance(entries, (list, tuple)):
        raise ConfigError(f"{path} is {entries!r:.80}, it takes a list of dicts")
    for i, entry in enumerate(entries):
        if not isinstance(entry, Mapping) or "type" not in entry:
            raise ConfigError(
                f"{path}.{i} is {entry!r:.80}, it takes a dict with a type"
            )
    return resolve(entries, path, (hooks,), tuple[Hook, ...])


def _at_own_size(node, path):
    """A loader or data set whose pipelines, at any depth, resize nothing."""
    if isinstance(node, list):
        return [_at_own_size(child, f"{path}.{i}") for i, child in enumerate(node)]
    if not isinstance(node, Mapping):
        return node
    changed = {}
    for key, value in node.items():
        change = without_resizing if key == "pipeline" else _at_own_size
        changed[key] = change(value, f"{path}.{key}")
    return changed


# Parts that a config may leave out, and then are as their defaults say.
_HAVE_DEFAULTS = ("checkpoint", "logger", "randomness")


def _read(config, key, default_type, prefix=""):
    part = config.get(key)
    if part is None:
        if key not in _HAVE_DEFAULTS:
            return None
        part = {}
    if not isinstance(part, Mapping):
        raise ConfigError(f"{prefix}{key} is {part!r}, it takes a dict")
    tables = (settings, datasets, transforms)
    if callable(default_type):
        default_type = default_type(part)
    return resolve({"type": default_type} | dict(part), f"{prefix}{key}", tables)


def _read_metrics(config, key, default):
    """One metric or a list of them, no two of which give a score of the same name."""
    given = config.get(key)
    if given is None:
        return default
    entries = given if isinstance(given, (list, tuple)) else [given]
    if not entries:
        raise ConfigError(f"{key} is an empty list; it takes one metric or more")
    found, names = [], {}
    for i, entry in enumerate(entries):
        path = f"{key}.{i}" if isinstance(given, (list, tuple)) else key
        if not isinstance(entry, Mapping):
            raise ConfigError(f"{path} is {entry!r:.80}, it takes a dict")
        entry = {"type": "IoUMetric"} | dict(entry)
        metric = resolve(entry, path, (metrics,), Metric)
        if not type(metric).__dataclass_params__.frozen:
            raise ConfigError(
                f"{path}: {type(metric).__name__} is no frozen dataclass, and what is "
                "compiled depends on it: write @dataclasses.dataclass(frozen=True)"
            )
        for name in metric.score_names():
            if name in names:
                raise ConfigError(
                    f"{path} gives the score {name}, and so does {names[name]}: take "
                    "one of the two out"
                )
        names |= dict.fromkeys(metric.score_names(), path)
        found.append(metric)
    return tuple(found)

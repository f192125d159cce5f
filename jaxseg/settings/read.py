"""Settings: the parts of a config that are no model, resolved together."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from input_pipeline import datasets, transforms
from jaxseg import settings
from jaxseg.config import ConfigError
from jaxseg.errors import FieldError
from jaxseg.resolve import resolve
from jaxseg.settings.cache import read_from_cache
from jaxseg.settings.device_augment import with_augmentation_on_device
from jaxseg.settings.evaluator import IoUMetric
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
from jaxseg.settings.xla_flags import read_xla_flags


@dataclasses.dataclass(frozen=True)
class Settings:
    """All of them, resolved.

    A loader that the config does not have is None, and so is a `tta` that is not
    enabled. With one, the pipeline of val_dataloader has no resizing.
    """

    train_loop: IterBasedTrainLoop | EpochBasedTrainLoop | None
    checkpoint: CheckpointHook
    logger: LoggerHook
    randomness: Randomness
    ema: EMAHook | None
    train_dataloader: DataLoader | None
    val_dataloader: DataLoader | None
    val_evaluator: IoUMetric
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


def read_settings(config: Mapping[str, Any]) -> Settings:
    """Resolves every part of a config but the model, the optimiser and the mesh.

    Raises:
        ConfigError: naming the path of what is wrong.
        DataError: if a data set cannot be used.
    """
    for name in ("default_hooks", "train_dataloader", "val_dataloader"):
        if not isinstance(config.get(name) or {}, Mapping):
            raise ConfigError(f"{name} is {config[name]!r:.80}, it takes a dict")
    hooks = config.get("default_hooks") or {}
    for name in hooks:
        if name not in ("checkpoint", "logger"):
            raise ConfigError(
                f"default_hooks.{name}: no such hook, there are checkpoint and logger"
            )
    for name in ("train_dataloader", "val_dataloader"):
        if (config.get(name) or {}).get("cache"):
            config = {**config, name: read_from_cache(config[name], name)}
    if (config.get("val_dataloader") or {}).get("augment_on_device"):
        raise ConfigError("val_dataloader.augment_on_device: it is for training only")
    loader = config.get("train_dataloader") or {}
    if loader.get("augment_on_device"):
        loader = with_augmentation_on_device(loader, "train_dataloader")
        config = {**config, "train_dataloader": loader}
    tta = _read(config, "tta", "TestTimeAug")
    if tta is not None and not tta.enabled:
        tta = None
    if tta is not None and config.get("val_dataloader"):
        loader = config["val_dataloader"]
        loader = _at_own_size(loader, "val_dataloader")
        config = {**config, "val_dataloader": loader}
    return Settings(
        train_loop=_read(config, "train_cfg", loop_type),
        checkpoint=_read(hooks, "checkpoint", "CheckpointHook", "default_hooks."),
        logger=_read(hooks, "logger", "LoggerHook", "default_hooks."),
        randomness=_read(config, "randomness", "Randomness"),
        ema=_read(config, "ema", "EMAHook"),
        train_dataloader=_read(config, "train_dataloader", "DataLoader"),
        val_dataloader=_read(config, "val_dataloader", "DataLoader"),
        val_evaluator=_read(config, "val_evaluator", "IoUMetric"),
        tta=tta,
        xla_flags=read_xla_flags(config),
    )


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
_HAVE_DEFAULTS = ("checkpoint", "logger", "randomness", "val_evaluator")


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

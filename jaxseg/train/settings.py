"""The parts of a config that are no model: their keys are these dataclasses' fields."""

import dataclasses
import sys
from collections.abc import Mapping
from typing import Any

from input_pipeline import datasets, transforms
from jaxseg.config import ConfigError, nearest
from jaxseg.metrics.iou import METRICS
from jaxseg.resolve import resolve
from jaxseg.train.data_cache import read_from_cache
from jaxseg.train.device_augment import with_augmentation_on_device
from jaxseg.train.test_time_aug import TestTimeAug, without_resizing

__all__ = [
    "CheckpointHook",
    "DataLoader",
    "EMAHook",
    "IoUMetric",
    "IterBasedTrainLoop",
    "LoggerHook",
    "Randomness",
    "TestTimeAug",
]


@dataclasses.dataclass(frozen=True)
class DataLoader:
    """`train_dataloader` and `val_dataloader`.

    Attributes:
        dataset: the data set with its pipeline.
        batch_size: images of a batch, over all devices and hosts. In validation,
            images of one size that a host's accelerators run at once.
        num_workers: processes that prepare batches; 0 uses threads of this one.
        num_threads: threads in each of them.
        max_bad_samples: in training, samples that cannot be read and are replaced by
            others before the run ends; 0 ends it at the first.
        cache: folder of scripts/pack_dataset.py that is read in the data set's place.
        augment_on_device: whether the training step flips and distorts the images, as
            the pipeline has drawn it. For accelerators that wait for the host.
    """

    dataset: Any
    batch_size: int = 1
    num_workers: int = 0
    num_threads: int = 4
    max_bad_samples: int = 0
    cache: str | None = None
    augment_on_device: bool = False

    def __post_init__(self):
        counts = (self.num_workers, self.num_threads, self.max_bad_samples)
        if self.batch_size < 1 or min(counts) < 0:
            raise ValueError(
                f"batch_size={self.batch_size}, num_workers={self.num_workers}, "
                f"num_threads={self.num_threads}, max_bad_samples="
                f"{self.max_bad_samples}: the first must be 1 at least, the others 0"
            )


@dataclasses.dataclass(frozen=True)
class IterBasedTrainLoop:
    """`train_cfg`.

    Attributes:
        max_iters: iterations of the run; one takes one batch.
        val_interval: iterations between two evaluations; the last is always followed
            by one. None evaluates only then.
        loss_scope: `device`: each device's losses are divided by what it counts, as
            in mmseg; `global`: by what all devices count.
        batch_timeout: seconds without a batch after which the run ends itself.
        step_timeout: seconds without the end of a step after which it does;
            compilation is not counted.
    """

    max_iters: int
    val_interval: int | None = None
    loss_scope: str = "device"
    batch_timeout: float = 1800.0
    step_timeout: float = 1800.0

    def __post_init__(self):
        if self.max_iters < 1 or (self.val_interval or 1) < 1:
            raise ValueError(
                f"max_iters={self.max_iters} and val_interval={self.val_interval} "
                "must be 1 at least"
            )
        if self.batch_timeout <= 0 or self.step_timeout <= 0:
            raise ValueError(
                f"batch_timeout={self.batch_timeout} and step_timeout="
                f"{self.step_timeout} must be above 0"
            )
        if self.loss_scope not in ("device", "global"):
            raise ValueError(
                f"loss_scope is {self.loss_scope!r}, allowed: device, global"
            )


@dataclasses.dataclass(frozen=True)
class CheckpointHook:
    """`default_hooks.checkpoint`.

    Attributes:
        interval: iterations between two checkpoints; the last always gets one.
        max_keep_ckpts: how many of the latest are kept.
        save_best: score by which the best is kept besides, such as `mIoU`, or None.
    """

    interval: int = 1000
    max_keep_ckpts: int = 3
    save_best: str | None = "mIoU"

    def __post_init__(self):
        if self.interval < 1 or self.max_keep_ckpts < 1:
            raise ValueError(
                f"interval={self.interval} and max_keep_ckpts={self.max_keep_ckpts} "
                "must be 1 at least"
            )


@dataclasses.dataclass(frozen=True)
class LoggerHook:
    """`default_hooks.logger`.

    Attributes:
        interval: iterations between two lines of the log, which hold means over them.
    """

    interval: int = 50

    def __post_init__(self):
        if self.interval < 1:
            raise ValueError(f"interval={self.interval} must be 1 at least")


@dataclasses.dataclass(frozen=True)
class EMAHook:
    """`ema`: a moving average of the parameters, which is what is evaluated.

    Attributes:
        momentum: weight of the new parameters in the average, at every iteration.
    """

    momentum: float = 0.0002

    def __post_init__(self):
        if not 0 < self.momentum < 1:
            raise ValueError(f"momentum={self.momentum} must lie between 0 and 1")


@dataclasses.dataclass(frozen=True)
class Randomness:
    """`randomness`.

    Attributes:
        seed: of the starting weights, the order of samples, augmentation and dropout.
    """

    seed: int = 0

    def __post_init__(self):
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed={self.seed} must lie between 0 and 2**32 - 1")


@dataclasses.dataclass(frozen=True)
class IoUMetric:
    """`val_evaluator`: which scores are computed.

    Attributes:
        iou_metrics: some of `mIoU`, `mDice`, `mFscore`.
        ignore_index: the label that counts nowhere; None takes the data set's.
        nan_to_num: what the score of a class that does not occur becomes, or None.
        beta: weight of the recall in mFscore.
    """

    iou_metrics: tuple[str, ...] = ("mIoU",)
    ignore_index: int | None = None
    nan_to_num: float | None = None
    beta: float = 1.0

    def __post_init__(self):
        if not self.iou_metrics:
            raise ValueError(f"iou_metrics is empty; allowed: {', '.join(METRICS)}")
        for name in self.iou_metrics:
            if name not in METRICS:
                raise ValueError(
                    f"iou_metrics has {name!r}{nearest(name, METRICS)}; allowed: "
                    f"{', '.join(METRICS)}"
                )


@dataclasses.dataclass(frozen=True)
class Settings:
    """All of them, resolved.

    A loader that the config does not have is None, and so is a `tta` that is not
    enabled. With one, the pipeline of val_dataloader has no resizing.
    """

    train_loop: IterBasedTrainLoop | None
    checkpoint: CheckpointHook
    logger: LoggerHook
    randomness: Randomness
    ema: EMAHook | None
    train_dataloader: DataLoader | None
    val_dataloader: DataLoader | None
    val_evaluator: IoUMetric
    tta: TestTimeAug | None


def read_settings(config: Mapping[str, Any]) -> Settings:
    """Resolves every part of a config but the model, the optimiser and the mesh.

    Raises:
        ConfigError: naming the path of what is wrong.
        DataError: if a data set cannot be used.
    """
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
        config = {**config, "val_dataloader": _at_own_size(loader)}
    return Settings(
        train_loop=_read(config, "train_cfg", "IterBasedTrainLoop"),
        checkpoint=_read(hooks, "checkpoint", "CheckpointHook", "default_hooks."),
        logger=_read(hooks, "logger", "LoggerHook", "default_hooks."),
        randomness=_read(config, "randomness", "Randomness"),
        ema=_read(config, "ema", "EMAHook"),
        train_dataloader=_read(config, "train_dataloader", "DataLoader"),
        val_dataloader=_read(config, "val_dataloader", "DataLoader"),
        val_evaluator=_read(config, "val_evaluator", "IoUMetric"),
        tta=tta,
    )


def _at_own_size(node):
    """A loader or data set whose pipelines, at any depth, resize nothing."""
    if isinstance(node, list):
        return [_at_own_size(child) for child in node]
    if not isinstance(node, Mapping):
        return node
    return {
        key: without_resizing(value) if key == "pipeline" else _at_own_size(value)
        for key, value in node.items()
    }


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
    tables = (sys.modules[__name__], datasets, transforms)
    return resolve({"type": default_type} | dict(part), f"{prefix}{key}", tables)

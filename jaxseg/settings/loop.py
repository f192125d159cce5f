"""Loop of a config: its length, checkpoints, the moving average and the seed."""

import dataclasses

from jaxseg.errors import FieldError

_MAX_ITERS = 10**7  # the learning rate of every iteration is computed at the start


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
        if self.max_iters > _MAX_ITERS:
            raise FieldError(
                f"max_iters: is {self.max_iters}, allowed: {_MAX_ITERS} at most"
            )
        if self.max_iters < 1 or (self.val_interval or 1) < 1:
            raise FieldError(
                f"max_iters={self.max_iters} and val_interval={self.val_interval} "
                "must be 1 at least"
            )
        if self.batch_timeout <= 0 or self.step_timeout <= 0:
            raise FieldError(
                f"batch_timeout={self.batch_timeout} and step_timeout="
                f"{self.step_timeout} must be above 0"
            )
        if self.loss_scope not in ("device", "global"):
            raise FieldError(
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
            raise FieldError(
                f"interval={self.interval} and max_keep_ckpts={self.max_keep_ckpts} "
                "must be 1 at least"
            )


@dataclasses.dataclass(frozen=True)
class EMAHook:
    """`ema`: a moving average of the parameters, which is what is evaluated.

    Attributes:
        momentum: weight of the new parameters in the average, at every iteration.
    """

    momentum: float = 0.0002

    def __post_init__(self):
        if not 0 < self.momentum < 1:
            raise FieldError(f"momentum={self.momentum} must lie between 0 and 1")


@dataclasses.dataclass(frozen=True)
class Randomness:
    """`randomness`.

    Attributes:
        seed: the seed of the starting weights, the order of samples, augmentation and
            dropout.
    """

    seed: int = 0

    def __post_init__(self):
        if not 0 <= self.seed < 2**32:
            raise FieldError(f"seed={self.seed} must lie between 0 and 2**32 - 1")

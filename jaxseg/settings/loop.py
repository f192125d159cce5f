"""Loop of a config: its length, checkpoints, the moving average and the seed."""

import dataclasses

from jaxseg.errors import FieldError
from jaxseg.hooks.rule import RULES, rule_of

_MAX_ITERS = 10**7  # the learning rate of every iteration is computed at the start


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainLoop:
    """What `train_cfg` has for runs of iterations and of epochs.

    Attributes:
        val_interval: iterations, or epochs, between two evaluations; the last is always
            followed by one. None evaluates only then.
        val_begin: the first iteration, or epoch, after which an evaluation may be.
        dynamic_intervals: (iteration or epoch, val_interval from there on) pairs.
        val_loss: whether an evaluation measures the losses on the validation data, too,
            in batches of the training's pipeline.
        loss_scope: `device`: each device's losses are divided by what it counts, as
            in mmseg; `global`: by what all devices count.
        batch_timeout: seconds without a batch after which the run ends itself.
        step_timeout: seconds without the end of a step after which it does;
            compilation is not counted.
    """

    val_interval: int | None = None
    val_begin: int = 1
    dynamic_intervals: tuple[tuple[int, int], ...] = ()
    val_loss: bool = False
    loss_scope: str = "device"
    batch_timeout: float = 1800.0
    step_timeout: float = 1800.0

    def __post_init__(self):
        if (self.val_interval or 1) < 1 or self.val_begin < 0:
            raise FieldError(
                f"val_interval={self.val_interval} must be 1 at least, and val_begin="
                f"{self.val_begin} 0"
            )
        milestones = [milestone for milestone, _ in self.dynamic_intervals]
        if milestones != sorted(set(milestones)) or any(
            min(pair) < 1 for pair in self.dynamic_intervals
        ):
            raise FieldError(
                f"dynamic_intervals: needs (milestone, interval) pairs of numbers of 1 "
                f"at least, the milestones rising, found {self.dynamic_intervals}"
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class IterBasedTrainLoop(TrainLoop):
    """`train_cfg` of a run of iterations.

    Attributes:
        max_iters: iterations of the run; one takes one batch.
    """

    max_iters: int

    def __post_init__(self):
        super().__post_init__()
        if not 1 <= self.max_iters <= _MAX_ITERS:
            raise FieldError(
                f"max_iters: is {self.max_iters}, allowed: 1 to {_MAX_ITERS}"
            )

    def evaluates_after(self, step: int) -> bool:
        """Whether an evaluation follows iteration `step`, the first being 1."""
        interval = self.val_interval or self.max_iters
        for milestone, later in self.dynamic_intervals:
            if step + 1 >= milestone:
                interval = later
        is_due = step % interval == 0 and step >= self.val_begin
        return is_due or step == self.max_iters


@dataclasses.dataclass(frozen=True, kw_only=True)
class EpochBasedTrainLoop(TrainLoop):
    """`train_cfg` of a run of epochs: passes over the training data.

    Attributes:
        max_epochs: epochs of the run.
        val_interval: epochs between two evaluations.
    """

    max_epochs: int
    val_interval: int | None = 1

    def __post_init__(self):
        super().__post_init__()
        if self.max_epochs < 1:
            raise FieldError(f"max_epochs: is {self.max_epochs}, allowed: 1 or more")

    def by_iterations(self, epoch_length: int) -> IterBasedTrainLoop:
        """The same run, counted in iterations.

        Args:
            epoch_length: iterations of an epoch.

        Raises:
            FieldError: if there are too many.
        """
        values = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(TrainLoop)
        }
        interval = self.val_interval
        return IterBasedTrainLoop(
            **values
            | {
                "max_iters": self.max_epochs * epoch_length,
                "val_interval": None if interval is None else interval * epoch_length,
                "val_begin": self.val_begin * epoch_length,
                # The epoch before the milestone is done.
                "dynamic_intervals": tuple(
                    ((milestone - 1) * epoch_length + 1, interval * epoch_length)
                    for milestone, interval in self.dynamic_intervals
                ),
            }
        )


@dataclasses.dataclass(frozen=True)
class CheckpointHook:
    """`default_hooks.checkpoint`.

    Attributes:
        interval: iterations between two checkpoints; the last always gets one.
        by_epoch: whether `interval` counts epochs, in a run of them.
        max_keep_ckpts: how many of the latest are kept.
        save_best: score by which the best is kept besides, such as `mIoU`, or None.
        rule: `greater` or `less` is better; by default `less` of a loss.
        save_optimizer: whether they hold the state of the optimiser. Without it they
            are smaller, and a run that is continued begins with a fresh one.
    """

    interval: int = 1000
    by_epoch: bool = False
    max_keep_ckpts: int = 3
    save_best: str | None = "mIoU"
    rule: str | None = None
    save_optimizer: bool = True

    def __post_init__(self):
        if self.rule not in (None, *RULES):
            raise FieldError(f"rule: found {self.rule!r}, allowed: 'greater', 'less'")
        if self.interval < 1 or self.max_keep_ckpts < 1:
            raise FieldError(
                f"interval={self.interval} and max_keep_ckpts={self.max_keep_ckpts} "
                "must be 1 at least"
            )

    @property
    def best_mode(self) -> str:
        """`max` or `min`: which values of `save_best` are better."""
        is_less = self.save_best and rule_of(self.save_best, self.rule) == "less"
        return "min" if is_less else "max"

    def by_iterations(self, epoch_length: int) -> "CheckpointHook":
        """The same, counted in iterations."""
        if not self.by_epoch:
            return self
        interval = self.interval * epoch_length
        return dataclasses.replace(self, interval=interval, by_epoch=False)


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

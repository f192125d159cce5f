"""Learning rate hooks of MMSegmentation 0.x (`lr_config`)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from jaxseg.errors import FieldError
from jaxseg.optim.one_cycle import anneal, check_part, check_strategy, one_cycle
from jaxseg.optim.schedulers import Recurrence

# The types that `param_scheduler` can name.
__all__ = [
    "CosineAnnealingLrUpdater",
    "CosineRestartLrUpdater",
    "CyclicLrUpdater",
    "ExpLrUpdater",
    "FlatCosineAnnealingLrUpdater",
    "InvLrUpdater",
    "LinearAnnealingLrUpdater",
    "OneCycleLrUpdater",
    "PolyLrUpdater",
    "StepLrUpdater",
]


@dataclass(frozen=True, kw_only=True)
class LrUpdater:
    """What the learning rate hooks of MMSegmentation 0.x have in common.

    The value is a function of the iteration (or the epoch) and of the base learning
    rate alone, with a warm-up that multiplies it: for `linear` by 1 - (1 - t /
    warmup_iters) * (1 - warmup_ratio). (A momentum is divided by it.) An updater stands alone in `param_scheduler` and
    ends with the training.

    Attributes:
        warmup: None, 'constant', 'linear' or 'exp'.
        warmup_iters: Iterations that the warm-up takes.
        warmup_ratio: Factor of the first iteration.
        by_epoch: In a run of epochs, the value counts them, and stays over the
            iterations of one; the warm-up goes on in every iteration.
        warmup_by_epoch: `warmup_iters` counts epochs.
    """

    is_momentum: ClassVar[bool] = False
    # Whether the value can be one of the epoch.
    takes_epochs: ClassVar[bool] = True

    warmup: str | None = None
    warmup_iters: int = 0
    warmup_ratio: float = 0.1
    by_epoch: bool = False
    warmup_by_epoch: bool = False

    def __post_init__(self):
        if self.by_epoch and not self.takes_epochs:
            raise FieldError(
                "by_epoch: the cycles count iterations, as in mmcv; leave it out"
            )
        allowed = (None, "constant", "linear", "exp")
        if self.warmup not in allowed:
            raise FieldError(f"warmup: found {self.warmup!r}, allowed are {allowed}")
        if self.warmup and self.warmup_iters < 1:
            raise FieldError(
                f"warmup_iters: a warm-up needs >= 1, found {self.warmup_iters}"
            )
        if self.warmup and not 0 < self.warmup_ratio <= 1:
            raise FieldError(
                f"warmup_ratio: needs to be in (0, 1], found {self.warmup_ratio}"
            )

    def value(self, t: np.ndarray, max_iters: int) -> tuple[np.ndarray, np.ndarray]:
        """(share, constant) without warm-up, as arrays over the iterations `t`.

        By epochs, `t` and `max_iters` are those of epochs.
        """
        raise NotImplementedError

    def recurrence(self, t: np.ndarray, last: int, epoch_length: int) -> Recurrence:
        """As `Scheduler.recurrence`, over all iterations of a training.

        Args:
            t: 0, 1, ..., the iterations.
            last: The last one of the training.
            epoch_length: Iterations of an epoch.
        """
        unit = epoch_length if self.by_epoch else 1
        share, constant = self.value(t // unit, (last + 1) // unit)
        warmup = self.warmup_iters * (epoch_length if self.warmup_by_epoch else 1)
        factor = np.where(t < warmup, self._warmup_factor(t, warmup), 1.0)
        factor = 1 / factor if self.is_momentum else factor
        return Recurrence(np.zeros(len(t)), share * factor, constant * factor)

    def _warmup_factor(self, t: np.ndarray, warmup_iters: int) -> np.ndarray:
        if self.warmup is None:
            return np.ones(len(t))
        if self.warmup == "constant":
            return np.full(len(t), self.warmup_ratio)
        missing = 1 - t / warmup_iters
        if self.warmup == "linear":
            return 1 - missing * (1 - self.warmup_ratio)
        return self.warmup_ratio**missing


@dataclass(frozen=True, kw_only=True)
class PolyLrUpdater(LrUpdater):
    """0.x's `policy='poly'`: (base - min_lr) * (1 - t / max_iters) ** power + min_lr.

    Unlike PolyLR it never quite reaches `min_lr`, and the poly starts with the warm-up.
    """

    power: float = 1.0
    min_lr: float = 0.0

    def value(self, t, max_iters):
        share = (1 - t / max_iters) ** self.power
        return share, (1 - share) * self.min_lr


@dataclass(frozen=True, kw_only=True)
class StepLrUpdater(LrUpdater):
    """0.x's `policy='step'`: gamma ** (number of entries of `step` passed)."""

    step: tuple[int, ...]
    gamma: float = 0.1

    def value(self, t, max_iters):
        passed = np.searchsorted(np.sort(self.step), t, side="right")
        return self.gamma**passed, np.zeros(len(t))


@dataclass(frozen=True, kw_only=True)
class CosineAnnealingLrUpdater(LrUpdater):
    """0.x's `policy='CosineAnnealing'`: half a cosine from the base to `min_lr`."""

    min_lr: float | None = None
    min_lr_ratio: float | None = None

    def __post_init__(self):
        super().__post_init__()
        if (self.min_lr is None) == (self.min_lr_ratio is None):
            raise FieldError("min_lr: give one of min_lr and min_lr_ratio")

    def value(self, t, max_iters):
        share = (1 + np.cos(np.pi * t / max_iters)) / 2
        lowest, ratio = self.min_lr or 0.0, self.min_lr_ratio or 0.0
        return share + (1 - share) * ratio, (1 - share) * lowest


@dataclass(frozen=True, kw_only=True)
class FlatCosineAnnealingLrUpdater(CosineAnnealingLrUpdater):
    """0.x's `policy='FlatCosineAnnealing'`: the base, and then half a cosine.

    Attributes:
        start_percent: The part of the training in which the base stays.
    """

    start_percent: float = 0.75

    def __post_init__(self):
        super().__post_init__()
        if not 0 <= self.start_percent < 1:
            raise FieldError(
                f"start_percent: needs to be in [0, 1), found {self.start_percent}"
            )

    def value(self, t, max_iters):
        start = round(max_iters * self.start_percent)
        return super().value(np.maximum(t - start, 0), max(max_iters - start, 1))


@dataclass(frozen=True, kw_only=True)
class CosineRestartLrUpdater(LrUpdater):
    """0.x's `policy='CosineRestart'`: half cosines to `min_lr`, one after the other.

    The distance to `min_lr` is multiplied by the weight of each.

    Attributes:
        periods: Iterations of each half cosine; in all as many as the training has, or
            more.
        restart_weights: One weight a period.
        min_lr: The lowest value.
        min_lr_ratio: The same as a part of the base learning rate; one of the two.
    """

    periods: tuple[int, ...]
    restart_weights: tuple[float, ...] = (1.0,)
    min_lr: float | None = None
    min_lr_ratio: float | None = None

    def __post_init__(self):
        super().__post_init__()
        if (self.min_lr is None) == (self.min_lr_ratio is None):
            raise FieldError("min_lr: give one of min_lr and min_lr_ratio")
        if not self.periods or min(self.periods) < 1:
            raise FieldError(f"periods: needs numbers >= 1, found {self.periods}")
        if len(self.periods) != len(self.restart_weights):
            raise FieldError(
                f"restart_weights: needs one a period, found {self.restart_weights} "
                f"for periods={self.periods}"
            )

    def value(self, t, max_iters):
        ends = np.cumsum(self.periods)
        if ends[-1] < max_iters:
            raise FieldError(
                f"periods: have {ends[-1]} iterations in all, and the training "
                f"{max_iters}; it may not have more"
            )
        which = np.searchsorted(ends, t, side="right")
        periods = np.array(self.periods)[which]
        part = (t - (ends[which] - periods)) / periods
        height = np.array(self.restart_weights)[which] * (1 + np.cos(np.pi * part)) / 2
        lowest, ratio = self.min_lr or 0.0, self.min_lr_ratio or 0.0
        return height + (1 - height) * ratio, (1 - height) * lowest


@dataclass(frozen=True, kw_only=True)
class ExpLrUpdater(LrUpdater):
    """0.x's `policy='exp'`: gamma ** t."""

    gamma: float

    def value(self, t, max_iters):
        return self.gamma**t, np.zeros(len(t))


@dataclass(frozen=True, kw_only=True)
class InvLrUpdater(LrUpdater):
    """0.x's `policy='inv'`: (1 + gamma * t) ** -power; power 0.5 is an inverse root."""

    gamma: float
    power: float = 1.0

    def value(self, t, max_iters):
        return (1 + self.gamma * t) ** -self.power, np.zeros(len(t))


@dataclass(frozen=True, kw_only=True)
class LinearAnnealingLrUpdater(CosineAnnealingLrUpdater):
    """0.x's `policy='LinearAnnealing'`: a line from the base to `min_lr`."""

    def value(self, t, max_iters):
        share = 1 - t / max_iters
        lowest, ratio = self.min_lr or 0.0, self.min_lr_ratio or 0.0
        return share + (1 - share) * ratio, (1 - share) * lowest


@dataclass(frozen=True, kw_only=True)
class CyclicLrUpdater(LrUpdater):
    """0.x's `policy='cyclic'`: up from the base to a multiple of it, and down again.

    Smith, Cyclical Learning Rates, arXiv:1506.01186.

    Attributes:
        target_ratio: The highest value and the last one of a cycle, in parts of the
            base; of one alone the last is 1e-5 of it.
        cyclic_times: Cycles in the training.
        step_ratio_up: The part of a cycle in which the value rises.
        anneal_strategy: 'cos' or 'linear'.
        gamma: Factor of the height above the base from one cycle to the next.
    """

    takes_epochs = False

    target_ratio: float | tuple[float, ...] = (10.0, 1e-4)
    cyclic_times: int = 1
    step_ratio_up: float = 0.4
    anneal_strategy: str = "cos"
    gamma: float = 1.0

    def __post_init__(self):
        super().__post_init__()
        check_strategy(self.anneal_strategy)
        if np.size(self.target_ratio) not in (1, 2):
            raise FieldError(
                f"target_ratio: needs one number or two, found {self.target_ratio}"
            )
        if self.cyclic_times < 1:
            raise FieldError(
                f"cyclic_times: needs to be >= 1, found {self.cyclic_times}"
            )
        if not 0 <= self.step_ratio_up < 1:
            raise FieldError(
                f"step_ratio_up: needs to be in [0, 1), found {self.step_ratio_up}"
            )
        if not 0 < self.gamma <= 1:
            raise FieldError(f"gamma: needs to be in (0, 1], found {self.gamma}")

    def value(self, t, max_iters):
        length = max_iters // self.cyclic_times
        if length < 1:
            raise FieldError(
                f"cyclic_times: {self.cyclic_times} cycles in {max_iters} iterations; "
                "a cycle needs one at least"
            )
        ratios = np.ravel(self.target_ratio)
        cycle, t = t // length, t % length
        top = 1 + (ratios[0] - 1) * self.gamma**cycle
        last = ratios[1] if len(ratios) == 2 else ratios[0] / 1e5
        up = int(self.step_ratio_up * length)
        rising = anneal(t / max(up, 1), 1.0, top, self.anneal_strategy)
        falling = anneal((t - up) / (length - up), top, last, self.anneal_strategy)
        return np.where(t < up, rising, falling), np.zeros(len(t))


@dataclass(frozen=True, kw_only=True)
class OneCycleLrUpdater(LrUpdater):
    """0.x's `policy='OneCycle'`: `OneCycleLR` up to `max_lr`, of every group.

    Attributes:
        max_lr: The highest value.
        total_steps: Iterations of the cycle; those of the training when None.
        pct_start, anneal_strategy, div_factor, final_div_factor, three_phase: as
            OneCycleLR has them.
    """

    takes_epochs = False

    max_lr: float
    total_steps: int | None = None
    pct_start: float = 0.3
    anneal_strategy: str = "cos"
    div_factor: float = 25.0
    final_div_factor: float = 1e4
    three_phase: bool = False

    def __post_init__(self):
        super().__post_init__()
        check_part(self.pct_start)
        check_strategy(self.anneal_strategy)

    def value(self, t, max_iters):
        total = self.total_steps or max_iters
        if total < max_iters:
            raise FieldError(
                f"total_steps: the cycle has {total} iterations, and the training "
                f"{max_iters}; it may not have more"
            )
        low = self.max_lr / self.div_factor
        values = [low, self.max_lr, low / self.final_div_factor]
        if self.three_phase:
            values.insert(2, low)
        found = one_cycle(t, total, self.pct_start, self.anneal_strategy, values)
        return np.zeros(len(t)), found

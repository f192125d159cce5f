"""Schedulers of mmengine 1.x, and mmseg's PolyLRRatio, as affine recurrences."""

from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np

from jaxseg.errors import FieldError
from jaxseg.optim.one_cycle import check_part, check_strategy, one_cycle

# The types that `param_scheduler` can name.
__all__ = [
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineRestartLR",
    "ExponentialLR",
    "InverseSquareRootLR",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "PolyLR",
    "PolyLRRatio",
    "StepLR",
]


class Recurrence(NamedTuple):
    """Coefficients of `value <- scale * value + share * base_lr + constant`.

    Each is a float64 array over t = 0, 1, ..., the iterations since `begin`.
    """

    scale: np.ndarray
    share: np.ndarray
    constant: np.ndarray


def _factors(scale: np.ndarray) -> Recurrence:
    return Recurrence(scale, np.zeros_like(scale), np.zeros_like(scale))


def _towards(scale: np.ndarray, eta_min: float, eta_min_ratio: float) -> Recurrence:
    """Scales the distance of the value to `eta_min + eta_min_ratio * base_lr`."""
    return Recurrence(scale, (1 - scale) * eta_min_ratio, (1 - scale) * eta_min)


@dataclass(frozen=True, kw_only=True)
class Scheduler:
    """What all schedulers of mmengine have.

    Attributes:
        begin: First iteration in which the scheduler acts; before it the value stays.
        end: The iteration after its last one; the end of the training when None. The
            value stays thereafter.
        by_epoch: Counts epochs, in a run of them: the value changes at the beginning of
            an epoch and stays over its iterations. (mmengine's own default is True.)
        convert_to_iter_based: With by_epoch: what is given in epochs is multiplied by
            the iterations of one, and the value changes in every iteration.
    """

    # What counts iterations or epochs, besides begin and end.
    counts: ClassVar[tuple[str, ...]] = ()
    is_momentum: ClassVar[bool] = False

    begin: int = 0
    end: int | None = None
    by_epoch: bool = False
    convert_to_iter_based: bool = False

    def __post_init__(self):
        if self.convert_to_iter_based and not self.by_epoch:
            raise FieldError("convert_to_iter_based: goes with by_epoch=True")
        if self.begin < 0 or (self.end is not None and self.end <= self.begin):
            raise FieldError(
                f"end: needs 0 <= begin < end, found begin={self.begin}, end={self.end}"
            )

    def by_iterations(self, epoch_length: int) -> "Scheduler":
        """The same, counted in iterations, if it is to be converted."""
        if not self.convert_to_iter_based:
            return self
        values = {name: getattr(self, name) for name in ("begin", "end", *self.counts)}
        values = {
            name: tuple(number * epoch_length for number in value)
            if isinstance(value, tuple)
            else value and value * epoch_length
            for name, value in values.items()
        }
        return replace(self, **values, by_epoch=False, convert_to_iter_based=False)

    def recurrence(self, t: np.ndarray, last: int) -> Recurrence:
        """The steps at `t` = 0, 1, ... <= `last` = end - begin - 1 since `begin`."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class PolyLR(Scheduler):
    """From the value at `begin` to eta_min at end - 1, as (1 - t / last) ** power.

    Attributes:
        power: Exponent.
        eta_min: Absolute, for every group: a group whose learning rate is lower is
            pulled up.
    """

    power: float = 1.0
    eta_min: float = 0.0

    def recurrence(self, t, last):
        return _towards(_poly_scale(t, last, self.power), self.eta_min, 0.0)


@dataclass(frozen=True, kw_only=True)
class PolyLRRatio(Scheduler):
    """PolyLR whose goal is `eta_min_ratio` of the group's base learning rate."""

    power: float = 1.0
    eta_min: float = 0.0
    eta_min_ratio: float | None = None

    def recurrence(self, t, last):
        scale = _poly_scale(t, last, self.power)
        if self.eta_min_ratio is None:
            return _towards(scale, self.eta_min, 0.0)
        return _towards(scale, 0.0, self.eta_min_ratio)


def _poly_scale(t: np.ndarray, last: int, power: float) -> np.ndarray:
    scale = np.ones(len(t))
    scale[1:] = (1 - 1 / (last - t[1:] + 1)) ** power
    return scale


@dataclass(frozen=True, kw_only=True)
class LinearLR(Scheduler):
    """Multiplies by a factor that goes linearly from start_factor to end_factor.

    `end_factor` is reached at end - 1: the way takes end - begin - 1 iterations.
    """

    start_factor: float = 1 / 3
    end_factor: float = 1.0

    def __post_init__(self):
        super().__post_init__()
        if not 0 < self.start_factor <= 1:
            raise FieldError(
                f"start_factor: needs to be in (0, 1], found {self.start_factor}"
            )
        if not 0 <= self.end_factor <= 1:
            raise FieldError(
                f"end_factor: needs to be in [0, 1], found {self.end_factor}"
            )

    def recurrence(self, t, last):
        rise = self.end_factor - self.start_factor
        scale = np.full(len(t), self.start_factor)
        scale[1:] = 1 + rise / (last * self.start_factor + (t[1:] - 1) * rise)
        return _factors(scale)


@dataclass(frozen=True, kw_only=True)
class ConstantLR(Scheduler):
    """Multiplies by `factor` at `begin` and takes it back at end - 1."""

    factor: float = 1 / 3

    def __post_init__(self):
        super().__post_init__()
        if not 0 < self.factor <= 1:
            raise FieldError(f"factor: needs to be in (0, 1], found {self.factor}")

    def recurrence(self, t, last):
        scale = np.ones(len(t))
        scale[t == last] = 1 / self.factor
        scale[0] = self.factor
        return _factors(scale)


@dataclass(frozen=True, kw_only=True)
class MultiStepLR(Scheduler):
    """Multiplies by `gamma` at every milestone, counted from `begin`."""

    counts = ("milestones",)

    milestones: tuple[int, ...]
    gamma: float = 0.1

    def recurrence(self, t, last):
        times = np.isin(self.milestones, t)
        scale = np.ones(len(t))
        # Unbuffered: a milestone given twice counts twice.
        np.multiply.at(scale, np.array(self.milestones, int)[times], self.gamma)
        return _factors(scale)


@dataclass(frozen=True, kw_only=True)
class StepLR(Scheduler):
    """Multiplies by `gamma` every `step_size` iterations."""

    counts = ("step_size",)

    step_size: int
    gamma: float = 0.1

    def __post_init__(self):
        super().__post_init__()
        if self.step_size < 1:
            raise FieldError(f"step_size: needs to be >= 1, found {self.step_size}")

    def recurrence(self, t, last):
        falls = (t > 0) & (t % self.step_size == 0)
        return _factors(np.where(falls, self.gamma, 1.0))


@dataclass(frozen=True, kw_only=True)
class ExponentialLR(Scheduler):
    """Multiplies by `gamma` in every iteration after `begin`."""

    gamma: float

    def recurrence(self, t, last):
        return _factors(np.where(t > 0, self.gamma, 1.0))


@dataclass(frozen=True, kw_only=True)
class InverseSquareRootLR(Scheduler):
    """Falls as sqrt(timescale / t), from iteration `timescale` after `begin` on.

    T5's schedule (Raffel et al., arXiv:1910.10683); mmengine has none.

    Attributes:
        timescale: Iterations that the value stays.
    """

    counts = ("timescale",)

    timescale: int = 1

    def __post_init__(self):
        super().__post_init__()
        if self.timescale < 1:
            raise FieldError(f"timescale: needs to be >= 1, found {self.timescale}")

    def recurrence(self, t, last):
        before = np.maximum(t - 1, self.timescale)
        return _factors(np.sqrt(before / np.maximum(t, self.timescale)))


@dataclass(frozen=True, kw_only=True)
class CosineAnnealingLR(Scheduler):
    """Half a cosine down to eta_min over `T_max` iterations (then up again).

    Attributes:
        T_max: Half a period; end - begin when None, so that eta_min would be reached at
            `end`, one iteration after the last one.
        eta_min: The lowest value, absolute; 0 when neither is given.
        eta_min_ratio: The lowest value as a part of the group's base learning rate.
    """

    counts = ("T_max",)

    T_max: int | None = None
    eta_min: float | None = None
    eta_min_ratio: float | None = None

    def __post_init__(self):
        super().__post_init__()
        if self.T_max is not None and self.T_max < 1:
            raise FieldError(f"T_max: needs to be >= 1, found {self.T_max}")
        if self.eta_min is not None and self.eta_min_ratio is not None:
            raise FieldError("eta_min: give eta_min or eta_min_ratio, not both")

    def recurrence(self, t, last):
        half = self.T_max or last + 1
        eta_min, ratio = self.eta_min or 0.0, self.eta_min_ratio or 0.0
        height = 1 + np.cos(np.pi * t / half)
        scale = np.ones(len(t))
        # At the foot of the cosine the ratio of two heights is x / 0: mmengine climbs
        # the first step from there by adding a part of the base learning rate.
        climbs = (t > 0) & ((t - 1 - half) % (2 * half) == 0)
        falls = (t > 0) & ~climbs
        scale[falls] = height[falls] / height[np.flatnonzero(falls) - 1]
        steps = _towards(scale, eta_min, ratio)
        rise = np.where(climbs, (1 - np.cos(np.pi / half)) / 2, 0.0)
        return Recurrence(
            scale, steps.share + rise * (1 - ratio), steps.constant - rise * eta_min
        )


@dataclass(frozen=True, kw_only=True)
class CosineRestartLR(Scheduler):
    """Half cosines to eta_min, one after the other, each from a height of its own.

    Loshchilov and Hutter, SGDR, arXiv:1608.03983. Behind the last one the value stays.

    Attributes:
        periods: Iterations of each half cosine.
        restart_weights: Where each begins, in parts of the group's base learning rate.
        eta_min: The lowest value, absolute.
        eta_min_ratio: The lowest value as a part of the group's base learning rate;
            exactly one of the two is given.
    """

    counts = ("periods",)

    periods: tuple[int, ...]
    restart_weights: tuple[float, ...] = (1.0,)
    eta_min: float | None = None
    eta_min_ratio: float | None = None

    def __post_init__(self):
        super().__post_init__()
        if not self.periods or min(self.periods) < 1:
            raise FieldError(f"periods: needs numbers >= 1, found {self.periods}")
        if len(self.periods) != len(self.restart_weights):
            raise FieldError(
                f"restart_weights: needs one a period, found {self.restart_weights} "
                f"for periods={self.periods}"
            )
        if (self.eta_min is None) == (self.eta_min_ratio is None):
            raise FieldError("eta_min: give one of eta_min and eta_min_ratio")

    def recurrence(self, t, last):
        scale, weight = np.ones(len(t)), np.zeros(len(t))
        restarts = np.cumsum((0, *self.periods[:-1]))
        for begin, period, height in zip(
            restarts, self.periods, self.restart_weights, strict=True
        ):
            cosine = 1 + np.cos(np.pi * np.arange(period) / period)
            fall = np.concatenate([[0.0], cosine[1:] / cosine[:-1]])
            scale[begin : begin + period] = fall[: max(len(t) - begin, 0)]
            weight[begin : begin + 1] = height
        restart = np.isin(t, restarts)
        steps = _towards(scale, self.eta_min or 0.0, self.eta_min_ratio or 0.0)
        return Recurrence(
            scale,
            np.where(restart, weight, steps.share),
            np.where(restart, 0.0, steps.constant),
        )


@dataclass(frozen=True, kw_only=True)
class OneCycleLR(Scheduler):
    """Up from a low value to `eta_max` and down to a very low one, of every group.

    Smith and Topin, Super-Convergence, arXiv:1708.07120. The base learning rates have
    no effect, and momentum stays.

    Attributes:
        eta_max: The highest value.
        total_steps: Iterations of the cycle; end - begin when None.
        pct_start: The part of them in which the value rises.
        anneal_strategy: 'cos' or 'linear'.
        div_factor: It begins at eta_max / div_factor.
        final_div_factor: It ends at the value it began at / final_div_factor.
        three_phase: It falls to the value it began at as fast as it rose, and then on.
    """

    counts = ("total_steps",)

    eta_max: float
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
        if self.total_steps is not None and self.total_steps < 1:
            raise FieldError(f"total_steps: needs to be >= 1, found {self.total_steps}")

    def recurrence(self, t, last):
        total = self.total_steps or last + 1
        if last > total:
            raise FieldError(
                f"total_steps: the cycle has {total} iterations, and the scheduler "
                f"{last + 1}; set `end`"
            )
        low = self.eta_max / self.div_factor
        values = [low, self.eta_max, low / self.final_div_factor]
        if self.three_phase:
            values.insert(2, low)
        constant = one_cycle(t, total, self.pct_start, self.anneal_strategy, values)
        return Recurrence(np.zeros(len(t)), np.zeros(len(t)), constant)

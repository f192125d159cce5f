"""Momentum hooks of MMSegmentation 0.x (`momentum_config`), as those of the learning rate.

They change what momentum schedulers do. A warm-up divides the momentum by what it would
multiply the learning rate by.
"""

from dataclasses import dataclass

import numpy as np

from jaxseg.errors import FieldError
from jaxseg.optim import lr_updaters
from jaxseg.optim.one_cycle import anneal, check_part, check_strategy, one_cycle

# The types that `param_scheduler` can name.
__all__ = [
    "CosineAnnealingMomentumUpdater",
    "CyclicMomentumUpdater",
    "LinearAnnealingMomentumUpdater",
    "OneCycleMomentumUpdater",
    "StepMomentumUpdater",
]


@dataclass(frozen=True, kw_only=True)
class MomentumUpdater(lr_updaters.LrUpdater):
    """An updater of the momentum."""

    is_momentum = True

    warmup_ratio: float = 0.9


@dataclass(frozen=True, kw_only=True)
class StepMomentumUpdater(MomentumUpdater):
    """0.x's `policy='step'`: gamma ** (number of entries of `step` passed)."""

    step: tuple[int, ...]
    gamma: float = 0.5

    value = lr_updaters.StepLrUpdater.value


@dataclass(frozen=True, kw_only=True)
class CosineAnnealingMomentumUpdater(MomentumUpdater):
    """0.x's `policy='CosineAnnealing'`: half a cosine from the base to `min_momentum`.

    Attributes:
        min_momentum: The lowest value.
        min_momentum_ratio: The same as a part of the base; one of the two.
    """

    min_momentum: float | None = None
    min_momentum_ratio: float | None = None

    strategy = "cos"

    def __post_init__(self):
        super().__post_init__()
        if (self.min_momentum is None) == (self.min_momentum_ratio is None):
            raise FieldError(
                "min_momentum: give one of min_momentum and min_momentum_ratio"
            )

    def value(self, t, max_iters):
        share = anneal(t / max_iters, 1.0, 0.0, self.strategy)
        lowest, ratio = self.min_momentum or 0.0, self.min_momentum_ratio or 0.0
        return share + (1 - share) * ratio, (1 - share) * lowest


@dataclass(frozen=True, kw_only=True)
class LinearAnnealingMomentumUpdater(CosineAnnealingMomentumUpdater):
    """0.x's `policy='LinearAnnealing'`: a line from the base to `min_momentum`."""

    strategy = "linear"


@dataclass(frozen=True, kw_only=True)
class CyclicMomentumUpdater(lr_updaters.CyclicLrUpdater):
    """0.x's `policy='cyclic'`: down from the base, and up again, in every cycle."""

    is_momentum = True

    warmup_ratio: float = 0.9
    target_ratio: float | tuple[float, ...] = (0.85 / 0.95, 1.0)


@dataclass(frozen=True, kw_only=True)
class OneCycleMomentumUpdater(MomentumUpdater):
    """0.x's `policy='OneCycle'`: from `max_momentum` down to `base_momentum`, and back.

    The momentum of the optimiser has no effect.

    Attributes:
        base_momentum: The lowest value.
        max_momentum: The highest.
        pct_start, anneal_strategy, three_phase: as OneCycleLR has them.
    """

    takes_epochs = False

    base_momentum: float = 0.85
    max_momentum: float = 0.95
    pct_start: float = 0.3
    anneal_strategy: str = "cos"
    three_phase: bool = False

    def __post_init__(self):
        super().__post_init__()
        check_part(self.pct_start)
        check_strategy(self.anneal_strategy)

    def value(self, t, max_iters):
        high, low = self.max_momentum, self.base_momentum
        values = [high, low, high, high] if self.three_phase else [high, low, high]
        found = one_cycle(t, max_iters, self.pct_start, self.anneal_strategy, values)
        return np.zeros(len(t)), found

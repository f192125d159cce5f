"""Momentum schedulers of mmengine: the learning rate's recurrences, of the momentum.

They change the `momentum` of SGD and RMSprop, and the first of the `betas` of Adam and
its kind.
"""

from dataclasses import dataclass

from jaxseg.optim import schedulers

# The types that `param_scheduler` can name.
__all__ = [
    "ConstantMomentum",
    "CosineAnnealingMomentum",
    "CosineRestartMomentum",
    "ExponentialMomentum",
    "LinearMomentum",
    "MultiStepMomentum",
    "PolyMomentum",
    "StepMomentum",
]


class MomentumScheduler:
    """What momentum schedulers have: the parameter of the optimiser that they change."""

    is_momentum = True


@dataclass(frozen=True, kw_only=True)
class ConstantMomentum(MomentumScheduler, schedulers.ConstantLR):
    """ConstantLR of the momentum."""


@dataclass(frozen=True, kw_only=True)
class CosineAnnealingMomentum(MomentumScheduler, schedulers.CosineAnnealingLR):
    """CosineAnnealingLR of the momentum."""


@dataclass(frozen=True, kw_only=True)
class CosineRestartMomentum(MomentumScheduler, schedulers.CosineRestartLR):
    """CosineRestartLR of the momentum."""


@dataclass(frozen=True, kw_only=True)
class ExponentialMomentum(MomentumScheduler, schedulers.ExponentialLR):
    """ExponentialLR of the momentum."""


@dataclass(frozen=True, kw_only=True)
class LinearMomentum(MomentumScheduler, schedulers.LinearLR):
    """LinearLR of the momentum."""


@dataclass(frozen=True, kw_only=True)
class MultiStepMomentum(MomentumScheduler, schedulers.MultiStepLR):
    """MultiStepLR of the momentum."""


@dataclass(frozen=True, kw_only=True)
class PolyMomentum(MomentumScheduler, schedulers.PolyLR):
    """PolyLR of the momentum."""


@dataclass(frozen=True, kw_only=True)
class StepMomentum(MomentumScheduler, schedulers.StepLR):
    """StepLR of the momentum."""

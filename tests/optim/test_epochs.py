"""Schedules that count epochs, beside mmengine's and mmcv's values."""

import dataclasses
import math

import numpy as np
import pytest

from jaxseg.config import ConfigError
from jaxseg.optim.schedule import make_schedule
from jaxseg.optim.schedulers import Recurrence, Scheduler
from jaxseg.registry import register

WARM_UP = dict(type="LinearLR", start_factor=1e-6, begin=0, end=15)
POLY = dict(type="PolyLR", power=0.9, eta_min=1e-4, by_epoch=True)
CONVERTED = dict(by_epoch=True, convert_to_iter_based=True)
STEPS = (0, 1, 9, 10, 15, 20, 35, 60, 79)

# {case: (param_scheduler, the learning rate of STEPS)} of 8 epochs of 10 iterations, base
# 0.01: mmengine 0.10.7's schedulers, stepped over an SGD of torch 2.13 as its runner does.
MMENGINE = {
    "milestones": (
        [dict(type="MultiStepLR", milestones=[3, 6], by_epoch=True)],
        (0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.001, 0.0001, 0.0001),
    ),
    "a warm-up in iterations, a poly in epochs": (
        [WARM_UP, POLY],
        (1e-08, 0.000714295, 0.006428575, 0.0062305148, 0.0087227172)
        + (0.0074178082, 0.0060863487, 0.0018191272, 0.0001),
    ),
    "the same in the other order": (
        [POLY, WARM_UP],
        (1e-08, 0.000714295, 0.006428575, 0.0062305148, 0.0087227172)
        + (0.0074178082, 0.0060863487, 0.0018191272, 0.0001),
    ),
    "converted": (
        [
            dict(type="LinearLR", start_factor=0.1, begin=0, end=2, **CONVERTED),
            dict(
                type="CosineAnnealingLR",
                **dict(T_max=6, begin=2, end=8, eta_min=1e-5, **CONVERTED),
            ),
        ],
        (0.001, 0.0014736842, 0.0052631579, 0.0057368421, 0.0081052632)
        + (0.01, 0.0085369984, 0.0025075, 1.6845474e-05),
    ),
    "converted steps": (
        [dict(type="StepLR", step_size=2, gamma=0.5, **CONVERTED)],
        (0.01, 0.01, 0.01, 0.01, 0.01, 0.005, 0.005, 0.00125, 0.00125),
    ),
    "exponential": (
        [dict(type="ExponentialLR", gamma=0.5, begin=1, end=4, by_epoch=True)],
        (0.01, 0.01, 0.01, 0.01, 0.01, 0.005, 0.0025, 0.0025, 0.0025),
    ),
    "converted restarts": (
        [
            dict(
                type="CosineRestartLR",
                **dict(periods=[3, 5], restart_weights=[1, 0.5], eta_min=1e-5),
                **CONVERTED,
            )
        ],
        (0.01, 0.0099726369, 0.0079409873, 0.0075025, 0.005005)
        + (0.0025075, 0.004877886, 0.0017340026, 1.4923313e-05),
    ),
    "converted cycle": (
        [dict(type="OneCycleLR", eta_max=0.1, total_steps=8, **CONVERTED)],
        (0.004, 0.0044470746, 0.035925779, 0.042234111, 0.074083122)
        + (0.096026142, 0.089091618, 0.025814352, 4e-07),
    ),
}


@pytest.mark.parametrize("case", MMENGINE)
def test_mmengine(case):
    param_scheduler, expected = MMENGINE[case]
    schedule = make_schedule(param_scheduler, 80, epoch_length=10)(0.01)
    found = [float(schedule(step)) for step in STEPS]
    assert found == pytest.approx(expected, rel=1e-6)


def test_a_poly_in_epochs_with_a_warm_up_of_0x():
    config = dict(type="PolyLrUpdater", power=0.9, min_lr=1e-4, by_epoch=True)
    warmup = dict(warmup="linear", warmup_iters=2, warmup_by_epoch=True)
    schedule = make_schedule([config | warmup], 80, epoch_length=10)(0.01)

    def formula(t):  # mmcv 1.7's PolyLrUpdaterHook and get_warmup_lr
        rate = (0.01 - 1e-4) * (1 - (t // 10) / 8) ** 0.9 + 1e-4
        return rate * (1 - (1 - t / 20) * (1 - 0.1)) if t < 20 else rate

    found = [float(schedule(step)) for step in STEPS]
    assert found == pytest.approx([formula(t) for t in STEPS], rel=1e-6)


@pytest.mark.parametrize(
    ("scheduler", "message"),
    [
        (POLY, "param_scheduler.0.by_epoch: True counts epochs, and this run has iter"),
        (
            dict(type="PolyLrUpdater", warmup_by_epoch=True),
            "param_scheduler.0.warmup_by_epoch: True counts epochs",
        ),
        (
            dict(type="PolyLR", convert_to_iter_based=True),
            "0.convert_to_iter_based: goes with by_epoch=True",
        ),
    ],
)
def test_epochs_in_a_run_of_iterations_are_refused(scheduler, message):
    with pytest.raises(ConfigError, match=message):
        make_schedule([scheduler], 80)


def test_a_cosine_after_a_flat_part():
    # mmcv 1.7's FlatCosineAnnealingLrUpdaterHook.
    config = dict(type="FlatCosineAnnealingLrUpdater", start_percent=0.5, min_lr=1e-3)
    schedule = make_schedule([config], 80)(0.01)
    found = [float(schedule(step)) for step in (0, 39, 40, 60, 79)]
    lowest = 1e-3 + 0.009 * (1 + math.cos(math.pi * 39 / 40)) / 2
    assert found == pytest.approx([0.01, 0.01, 0.01, 0.0055, lowest], rel=1e-6)


def test_an_inverse_square_root():
    schedule = make_schedule([dict(type="InverseSquareRootLR", timescale=4)], 80)(0.01)
    found = [float(schedule(step)) for step in (0, 4, 16, 64)]
    assert found == pytest.approx([0.01, 0.01, 0.005, 0.0025], rel=1e-6)


@register
@dataclasses.dataclass(frozen=True, kw_only=True)
class HalvedOnce(Scheduler):
    """A schedule of a user's own."""

    at: int

    def recurrence(self, t, last):
        scale = np.where(t == self.at, 0.5, 1.0)
        return Recurrence(scale, 0 * scale, 0 * scale)


def test_a_schedule_of_a_user():
    schedule = make_schedule([dict(type="HalvedOnce", at=3, begin=10)], 80)(0.01)
    assert [float(schedule(step)) for step in (12, 13)] == pytest.approx([0.01, 0.005])

import numpy as np
import pytest

from jaxseg.config import ConfigError
from jaxseg.mmseg_config.report import Report
from jaxseg.mmseg_config.schedule import translate_schedule
from jaxseg.optim.schedule import make_momentum_schedule, make_schedule

# torch 2.13's OneCycleLR of 100 steps, max_lr=0.05, the momentum between 0.85 and 0.95:
# (pct_start, three_phase, anneal_strategy), {iteration: (learning rate, momentum)}.
TORCH = [
    (
        (0.3, False, "cos"),
        {
            0: (0.002, 0.95),
            10: (0.014758197, 0.92342042),
            29: (0.05, 0.85),
            60: (0.029464005, 0.89107216),
            99: (2e-07, 0.95),
        },
    ),
    (
        (0.4, True, "linear"),
        {
            10: (0.014307692, 0.92435897),
            39: (0.05, 0.85),
            60: (0.024153846, 0.90384615),
            78: (0.002, 0.95),
            90: (0.00085725714, 0.95),
            99: (2e-07, 0.95),
        },
    ),
]


def of_0x(lr_config, momentum_config=None, **train_cfg):
    """The translated entries, all of which are there."""
    raw = dict(data=dict(), lr_config=lr_config, momentum_config=momentum_config)
    report = Report()
    entries = translate_schedule(raw, train_cfg or dict(max_iters=100), report)
    assert report == Report()
    return entries


@pytest.mark.parametrize(("cycle", "expected"), TORCH, ids=["cosines", "lines"])
def test_one_cycle_of_0x_equals_torch(cycle, expected):
    shape = dict(
        zip(("pct_start", "three_phase", "anneal_strategy"), cycle, strict=True)
    )
    entries = of_0x(
        dict(policy="OneCycle", max_lr=0.05, **shape),
        dict(policy="OneCycle", base_momentum=0.85, max_momentum=0.95, **shape),
    )
    schedules = (
        make_schedule(entries, 100)(0.1),
        make_momentum_schedule(entries, 100)(0.9),
    )
    for step, values in expected.items():
        found = [schedule(step) for schedule in schedules]
        np.testing.assert_allclose(found, values, rtol=3e-7, err_msg=str(step))


def test_cyclic_of_0x():
    # mmcv 1.7's formulas by hand: two cycles of 50, up in 20 of them, with half a cosine
    # each way; the height above the base falls to gamma of it in the second one.
    rate = dict(policy="cyclic", target_ratio=(10, 1e-4), cyclic_times=2, gamma=0.5)
    momentum = dict(policy="cyclic", target_ratio=(0.85 / 0.95, 1), cyclic_times=2)
    entries = of_0x(rate, momentum)
    schedule = make_schedule(entries, 100)(0.01)
    found = [schedule(step) for step in (0, 10, 20, 35, 50, 70)]
    expected = [0.01, 0.055, 0.1, (0.1 + 1e-6) / 2, 0.01, 0.055]
    np.testing.assert_allclose(found, expected, rtol=3e-7)
    schedule = make_momentum_schedule(entries, 100)(0.95)
    found = [schedule(step) for step in (0, 10, 20, 35, 50, 70)]
    np.testing.assert_allclose(found, [0.95, 0.9, 0.85, 0.9, 0.95, 0.85], rtol=3e-7)


def test_a_cycle_of_lines_with_one_ratio():
    entry = dict(
        type="CyclicLrUpdater",
        target_ratio=2.0,
        step_ratio_up=0.0,
        anneal_strategy="linear",
    )
    schedule = make_schedule([entry], 4)(1.0)
    found = [schedule(step) for step in range(4)]
    np.testing.assert_allclose(found, np.linspace(2, 2e-5, 5)[:4], rtol=3e-7)


def test_momentum_of_0x_and_its_warm_up():
    warm_up = dict(warmup="linear", warmup_iters=10, warmup_ratio=0.5)
    cosine = dict(policy="CosineAnnealing", min_momentum=0.2, by_epoch=False)
    (entry,) = of_0x(None, cosine | warm_up)
    schedule = make_momentum_schedule([entry], 100)(0.8)
    found = [schedule(step) for step in (0, 50)]
    np.testing.assert_allclose(found, [0.8 / 0.5, 0.5], rtol=3e-7)
    line = dict(policy="LinearAnnealing", min_momentum_ratio=0.5)
    schedule = make_momentum_schedule(of_0x(None, line), 100)(0.8)
    np.testing.assert_allclose(schedule(50), 0.6, rtol=3e-7)
    # One number stands for all its multiples; epochs, in a run of them.
    entries = of_0x(None, dict(policy="step", step=2), max_epochs=5)
    schedule = make_momentum_schedule(entries, 50, 10)(0.8)
    found = [schedule(step) for step in (19, 20, 40)]
    np.testing.assert_allclose(found, [0.8, 0.4, 0.2], rtol=3e-7)


def test_a_line_of_the_learning_rate():
    schedule = make_schedule(of_0x(dict(policy="LinearAnnealing", min_lr=0.1)), 100)(
        1.0
    )
    np.testing.assert_allclose(schedule(50), 0.55, rtol=3e-7)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            dict(type="CyclicLrUpdater", by_epoch=True),
            r"param_scheduler\.0\.by_epoch: the cycles count iterations",
        ),
        (
            dict(type="CyclicLrUpdater", target_ratio=(1.0, 2.0, 3.0)),
            r"param_scheduler\.0\.target_ratio: needs one number or two",
        ),
        (
            dict(type="CyclicLrUpdater", cyclic_times=11),
            r"param_scheduler\.0\.cyclic_times: 11 cycles in 10 iterations",
        ),
        (
            dict(type="CyclicMomentumUpdater", step_ratio_up=1.0),
            r"param_scheduler\.0\.step_ratio_up: needs to be in \[0, 1\)",
        ),
        (
            dict(type="OneCycleLrUpdater", max_lr=1.0, total_steps=9),
            r"param_scheduler\.0\.total_steps: the cycle has 9 iterations",
        ),
        (
            dict(type="OneCycleMomentumUpdater", anneal_strategy="exp"),
            r"param_scheduler\.0\.anneal_strategy: found 'exp'",
        ),
        (
            dict(type="LinearAnnealingMomentumUpdater"),
            r"param_scheduler\.0\.min_momentum: give one of",
        ),
    ],
)
def test_cycles_that_are_wrong(entry, message):
    with pytest.raises(ConfigError, match=message):
        make_schedule([entry], 10)
        make_momentum_schedule([entry], 10)

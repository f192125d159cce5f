import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.config import ConfigError
from jaxseg.optim.schedule import make_schedule

WARM_UP = dict(type="LinearLR", start_factor=1e-6, begin=0, end=150)

# {case: (param_scheduler, max_iters, {iteration: (lr of base 0.01, of base 1e-5)})}.
# The values are those of mmengine 0.10.7's schedulers (and mmseg 1.2.2's PolyLRRatio),
# stepped over an SGD of torch 2.13 with two groups.
MMENGINE = {
    "poly": (
        [dict(type="PolyLR", power=0.9, eta_min=1e-4, by_epoch=False)],
        1000,
        {
            0: (0.01, 1e-05),
            1: (0.0099910806, 1.0081085e-05),
            500: (0.0054004989, 5.1813647e-05),
            999: (1e-4, 1e-4),
        },
    ),
    "warm-up, then poly": (
        [WARM_UP, dict(type="PolyLR", power=1.0, begin=150, end=1000)],
        1000,
        {
            0: (1e-08, 1e-11),
            1: (6.7124027e-05, 6.7124027e-08),
            149: (0.01, 1e-05),
            150: (0.01, 1e-05),
            151: (0.0099882214, 9.9882214e-06),
            999: (0.0, 0.0),
        },
    ),
    "warm-up over poly": (
        [WARM_UP, dict(type="PolyLR", power=0.9, eta_min=1e-4, begin=0, end=1000)],
        1000,
        {
            0: (1e-08, 1e-11),
            1: (6.7153646e-05, 1.5715815e-07),
            149: (0.0087155049, 7.7099509e-05),
            150: (0.0087063821, 7.7123758e-05),
            500: (0.0054345058, 8.5820587e-05),
            999: (1e-4, 1e-4),
        },
    ),
    "warm-up after poly in the list": (
        [dict(type="PolyLR", power=0.9, eta_min=1e-3, begin=0, end=1000), WARM_UP],
        1000,
        {1: (0.006114576, 0.0060475795), 149: (0.78908712, 0.78044871)},
    ),
    "partly overlapping, then constant": (
        [
            dict(type="LinearLR", start_factor=0.1, end_factor=0.7, begin=0, end=200),
            dict(type="PolyLR", power=0.9, eta_min=1e-5, begin=100, end=700),
        ],
        1000,
        {
            99: (0.0039849246, 3.9849246e-06),
            101: (0.0040391627, 4.054174e-06),
            200: (0.0059408124, 7.8734436e-06),
            999: (1e-05, 1e-05),
        },
    ),
    "constant warm-up and milestones": (
        [
            dict(type="ConstantLR", factor=0.1, begin=0, end=50),
            dict(type="MultiStepLR", milestones=[0, 100, 200, 200, 5000], begin=10),
        ],
        1000,
        {
            2: (0.001, 1e-06),
            75: (0.001, 1e-06),
            149: (0.0001, 1e-07),
            449: (1e-06, 1e-09),
        },
    ),
    "steps": (
        [dict(type="StepLR", step_size=70, gamma=0.5, begin=13, end=600)],
        1000,
        {
            75: (0.01, 1e-05),
            99: (0.005, 5e-06),
            200: (0.0025, 2.5e-06),
            999: (3.90625e-05, 3.90625e-08),
        },
    ),
    "exponential": (
        [dict(type="ExponentialLR", gamma=0.99, begin=13, end=300)],
        1000,
        {
            2: (0.01, 1e-05),
            75: (0.0053626823, 5.3626823e-06),
            999: (0.00056450222, 5.6450222e-07),
        },
    ),
    "warm-up, then cosine": (
        [WARM_UP, dict(type="CosineAnnealingLR", begin=150, eta_min=1e-5)],
        1000,
        {
            151: (0.0099999659, 1e-05),
            500: (0.0063719466, 1e-05),
            999: (1.0034117e-05, 1e-05),
        },
    ),
    "cosine down, up and down again": (
        [dict(type="CosineAnnealingLR", T_max=100, eta_min=1e-4)],
        450,
        {
            99: (0.00010244253, 9.9977795e-05),
            100: (0.0001, 0.0001),
            101: (0.00010244253, 9.9977795e-05),
            150: (0.00505, 5.5e-05),
            200: (0.01, 1e-05),
            449: (0.0052054833, 5.3586516e-05),
        },
    ),
    "cosine to a ratio": (
        [dict(type="CosineAnnealingLR", T_max=850, begin=150, eta_min_ratio=0.05)],
        1000,
        {500: (0.0065498992, 6.5498992e-06), 999: (0.00050003244, 5.0003244e-07)},
    ),
    "poly to a ratio": (
        [
            dict(type="PolyLRRatio", eta_min_ratio=0.01, power=0.9, begin=150),
            WARM_UP,
        ],
        1000,
        {75: (0.005033562, 5.033562e-06), 999: (0.0001, 1e-07)},
    ),
    "160k iterations": (
        [
            dict(WARM_UP, end=1500),
            dict(type="PolyLR", power=0.9, eta_min=1e-4, begin=0, end=160000),
        ],
        160000,
        {
            1499: (0.0099222507, None),
            80000: (0.005408365, None),
            159998: (0.0001002052, None),
        },
    ),
    "cosine with restarts": (
        [
            dict(
                type="CosineRestartLR",
                periods=[100, 300, 50],
                restart_weights=[1.0, 0.5, 2.0],
                eta_min=1e-4,
                begin=20,
            )
        ],
        1000,
        {
            19: (0.01, 1e-05),
            20: (0.01, 1e-05),
            21: (0.0099975575, 1.0022205e-05),
            119: (0.00010244253, 9.9977795e-05),
            120: (0.005, 5e-06),
            419: (0.00010013434, 9.9997396e-05),
            420: (0.02, 2e-05),
            469: (0.00011963405, 9.9921069e-05),
            999: (0.00011963405, 9.9921069e-05),
        },
    ),
    "restarts to a ratio, cut": (
        [
            dict(
                type="CosineRestartLR",
                periods=[100, 300],
                restart_weights=[1.0, 0.7],
                eta_min_ratio=0.1,
                end=250,
            )
        ],
        400,
        {
            0: (0.01, 1e-05),
            1: (0.0099977795, 9.9977795e-06),
            99: (0.0010022205, 1.0022205e-06),
            100: (0.007, 7e-06),
            249: (0.0040314154, 4.0314154e-06),
            399: (0.0040314154, 4.0314154e-06),
        },
    ),
    "one cycle": (
        [dict(type="OneCycleLR", eta_max=0.05)],
        1000,
        {
            0: (0.002, 0.002),
            1: (0.0020013248, 0.0020013248),
            299: (0.05, 0.05),
            300: (0.049999748, 0.049999748),
            500: (0.040499405, 0.040499405),
            998: (4.5177419e-07, 4.5177419e-07),
            999: (2e-07, 2e-07),
        },
    ),
    "one cycle in three phases": (
        [
            dict(
                type="OneCycleLR",
                eta_max=0.05,
                total_steps=600,
                pct_start=0.4,
                three_phase=True,
                anneal_strategy="linear",
                div_factor=10.0,
                begin=10,
                end=610,
            )
        ],
        700,
        {
            9: (0.01, 1e-05),
            10: (0.005, 0.005),
            11: (0.0051882845, 0.0051882845),
            248: (0.049811715, 0.049811715),
            250: (0.049811715, 0.049811715),
            400: (0.021569038, 0.021569038),
            488: (0.005, 0.005),
            489: (0.0049586818, 0.0049586818),
            609: (5e-07, 5e-07),
            699: (5e-07, 5e-07),
        },
    ),
    "of one iteration": (
        [dict(type="LinearLR", start_factor=0.5, end=1)],
        5,
        {0: (0.005, 5e-06), 4: (0.005, 5e-06)},
    ),
}


@pytest.mark.parametrize("case", MMENGINE)
def test_equals_mmengine(case):
    param_scheduler, max_iters, expected = MMENGINE[case]
    schedule_of = make_schedule(param_scheduler, max_iters)
    for column, base_lr in enumerate((0.01, 1e-5)):
        schedule = schedule_of(base_lr)
        for step, values in expected.items():
            if values[column] is not None:
                # The values above have eight digits; float32 has seven.
                np.testing.assert_allclose(
                    schedule(step), values[column], rtol=2e-7, err_msg=str(step)
                )


def test_end_is_not_moved_by_a_shorter_training():
    config = [dict(type="PolyLR", power=0.9, end=1000)]
    full, short = make_schedule(config, 1000)(0.01), make_schedule(config, 20)(0.01)
    assert short(19) == full(19)


def test_without_schedulers_the_learning_rate_is_constant():
    schedule = make_schedule([], 10)(0.3)
    assert [schedule(step) for step in (0, 9, 99)] == [np.float32(0.3)] * 3


def test_the_last_value_stays():
    schedule = make_schedule([dict(type="LinearLR", start_factor=0.5)], 11)(1.0)
    np.testing.assert_allclose([schedule(s) for s in (0, 5, 10, 11)], [0.5, 0.75, 1, 1])


def test_a_traced_step_compiles_once():
    traces = []
    schedule = make_schedule([dict(type="PolyLR", power=0.9)], 100)(0.01)

    @jax.jit
    def at(step):
        traces.append(1)
        return schedule(step)

    for step in (0, 50, 99):
        assert at(jnp.int32(step)) == schedule(step)
    assert at(jnp.int32(0)).dtype == jnp.float32
    assert len(traces) == 1


# By hand from MMSegmentation 0.x's formulas, (base - min) * (1 - t / N) ** p + min times
# 1 - (1 - t / W) * (1 - r).
@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 0.1 * 0.01),
        (50, (1 - 0.5 * 0.9) * (0.0099 * 0.95**0.9 + 0.0001)),
        (100, 0.0099 * 0.9**0.9 + 0.0001),
        (999, 0.0099 * 0.001**0.9 + 0.0001),
    ],
)
def test_poly_of_0x_multiplies_by_its_warm_up(step, expected):
    config = dict(
        type="PolyLrUpdater",
        power=0.9,
        min_lr=1e-4,
        by_epoch=False,
        warmup="linear",
        warmup_iters=100,
        warmup_ratio=0.1,
    )
    schedule = make_schedule([config], 1000)(0.01)
    np.testing.assert_allclose(schedule(step), expected, rtol=2e-7)


def test_restarts_and_falls_of_0x():
    # The formulas of mmcv 1.x's hooks, by hand.
    restart = dict(
        type="CosineRestartLrUpdater",
        periods=[30, 20],
        restart_weights=[1.0, 0.5],
        min_lr=0.2,
    )
    schedule = make_schedule([restart], 40)(1.0)
    # cos(90 degrees) = 0, cos(45 degrees) = 0.70710678.
    np.testing.assert_allclose(
        [schedule(t) for t in (0, 15, 30, 35)],
        [1, 0.6, 0.2 + 0.5 * 0.8, 0.2 + 0.5 * 0.8 * 0.85355339],
        rtol=2e-7,
    )
    with pytest.raises(ConfigError, match=r"\.0\.periods: have 50 iterations in all"):
        make_schedule([restart], 51)

    inverse_root = dict(type="InvLrUpdater", gamma=1.0, power=0.5)
    exponential = dict(type="ExpLrUpdater", gamma=0.5)
    for entry, last in ((inverse_root, 0.5), (exponential, 0.125)):
        schedule = make_schedule([entry], 4)(1.0)
        np.testing.assert_allclose([schedule(0), schedule(3)], [1, last], rtol=2e-7)


def test_step_and_cosine_of_0x():
    step = dict(
        type="StepLrUpdater",
        step=[10, 20],
        warmup="constant",
        warmup_iters=2,
        warmup_ratio=0.5,
    )
    schedule = make_schedule([step], 30)(1.0)
    values = [schedule(t) for t in (0, 1, 2, 9, 10, 19, 20, 29)]
    np.testing.assert_allclose(values, [0.5, 0.5, 1, 1, 0.1, 0.1, 0.01, 0.01])

    cosine = dict(type="CosineAnnealingLrUpdater", min_lr=0.2)
    schedule = make_schedule([cosine], 30)(1.0)
    # cos(60 degrees) = 1/2, cos(90 degrees) = 0.
    np.testing.assert_allclose(
        [schedule(t) for t in (0, 10, 15)], [1, 0.2 + 0.8 * 0.75, 0.6], rtol=2e-7
    )

    exponential = dict(step, warmup="exp", warmup_ratio=0.25)
    schedule = make_schedule([exponential], 30)(1.0)
    np.testing.assert_allclose([schedule(t) for t in (0, 1, 2)], [0.25, 0.5, 1])


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        (
            [WARM_UP, dict(type="PolyLR", powr=1)],
            ConfigError,
            (
                r"param_scheduler\.1\.powr: this key is not known "
                r"\(did you mean 'power'\?\)"
            ),
        ),
        (
            [dict(type="PolyLr")],
            ValueError,
            r"param_scheduler\.0\.type: 'PolyLr' is not known \(did you mean 'PolyLR'",
        ),
        ([dict(power=1.0)], ValueError, r"param_scheduler\.0: `type` is missing"),
        (
            [dict(type="PolyLR", by_epoch=True)],
            ValueError,
            r"param_scheduler\.0\.by_epoch: True counts epochs",
        ),
        (
            [dict(type="PolyLR", power="0.9")],
            ConfigError,
            r"param_scheduler\.0\.power: expected float, found '0.9'",
        ),
        (
            [dict(type="PolyLR", begin=5, end=5)],
            ValueError,
            r"param_scheduler\.0\.end: needs 0 <= begin < end, found begin=5, end=5",
        ),
        (
            [dict(type="MultiStepLR")],
            ValueError,
            r"param_scheduler\.0\.milestones: this key is missing",
        ),
        (
            [dict(type="LinearLR", start_factor=0)],
            ValueError,
            r"param_scheduler\.0\.start_factor: needs to be in \(0, 1\], found 0",
        ),
        (
            [dict(type="CosineAnnealingLR", eta_min=0.0, eta_min_ratio=0.1)],
            ValueError,
            r"param_scheduler\.0\.eta_min: give eta_min or eta_min_ratio, not both",
        ),
        (
            [dict(type="CosineRestartLR", periods=[5, 5], eta_min=0.0)],
            ValueError,
            r"param_scheduler\.0\.restart_weights: needs one a period",
        ),
        (
            [dict(type="CosineRestartLR", periods=[5, 0], eta_min=0.0)],
            ValueError,
            r"param_scheduler\.0\.periods: needs numbers >= 1, found \(5, 0\)",
        ),
        (
            [dict(type="CosineRestartLR", periods=[5])],
            ValueError,
            r"param_scheduler\.0\.eta_min: give one of eta_min and eta_min_ratio",
        ),
        (
            [dict(type="OneCycleLR", eta_max=1.0, pct_start=1.5)],
            ValueError,
            r"param_scheduler\.0\.pct_start: needs to be in \[0, 1\], found 1.5",
        ),
        (
            [dict(type="OneCycleLR", eta_max=1.0, anneal_strategy="exp")],
            ValueError,
            r"param_scheduler\.0\.anneal_strategy: found 'exp'",
        ),
        (
            [WARM_UP, dict(type="OneCycleLR", eta_max=1.0, total_steps=50)],
            ValueError,
            r"param_scheduler\.1\.total_steps: the cycle has 50 iterations, and the",
        ),
        (
            [dict(type="OneCycleLR", eta_max=1.0, pct_start=0.01)],
            ValueError,
            r"param_scheduler\.0\.pct_start: 0.01 of 100 iterations leaves a phase",
        ),
        (
            [WARM_UP, dict(type="PolyLrUpdater")],
            ValueError,
            r"param_scheduler\.1\.type: PolyLrUpdater stands alone",
        ),
        (
            [dict(type="PolyLrUpdater", warmup="cubic")],
            ValueError,
            r"param_scheduler\.0\.warmup: found 'cubic', allowed are",
        ),
        (dict(type="PolyLR"), ConfigError, "param_scheduler: expected a list of dicts"),
    ],
)
def test_a_wrong_config_is_named_by_its_path(config, error, message):
    with pytest.raises(error, match=message):
        make_schedule(config, 100)


def test_max_iters_has_to_be_positive():
    with pytest.raises(ValueError, match=r"max_iters: needs to be >= 1, found 0"):
        make_schedule([], 0)

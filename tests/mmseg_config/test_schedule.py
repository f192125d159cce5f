import pytest

from jaxseg.mmseg_config.report import Report
from jaxseg.mmseg_config.schedule import translate_schedule
from jaxseg.optim.schedule import make_schedule

POLY_V0 = dict(policy="poly", power=0.9, min_lr=1e-4, by_epoch=False)
WARM_UP = dict(type="LinearLR", start_factor=1e-6, begin=0, end=15, by_epoch=False)


def v1(param_scheduler):
    return dict(default_scope="mmseg", param_scheduler=param_scheduler)


def v0(lr_config):
    return dict(data=dict(), lr_config=lr_config)


def translated(raw):
    report = Report()
    return translate_schedule(raw, dict(max_iters=100), report), report


def rates(raw, lr=0.01, steps=(0, 1, 14, 15, 16, 50, 98, 99)):
    ours, report = translated(raw)
    assert report == Report()
    schedule = make_schedule(ours, 100)(lr)
    return [float(schedule(step)) for step in steps]


@pytest.mark.parametrize(
    ("begin", "expected"),
    # mmengine 0.10.7, stepped over an SGD of torch 2.13.
    [
        (15, (1e-08, 7.14295e-4, 0.01, 0.01, 0.009893865, 0.0061948118, 2.8356245e-4)),
        (
            0,
            (1e-08, 7.0870767e-4, 0.0087568092, 0.0086650947, 0.008573271)
            + (0.0053729941, 2.5881109e-4),
        ),
    ],
    ids=["poly after the warm-up", "poly under the warm-up"],
)
def test_poly_with_warm_up_of_1x(begin, expected):
    poly = dict(type="PolyLR", power=0.9, eta_min=1e-4, end=100, by_epoch=False)
    found = rates(v1([WARM_UP, dict(poly, begin=begin)]))
    assert found == pytest.approx([*expected, 1e-4], rel=1e-6)


def test_poly_with_warm_up_of_0x():
    config = dict(warmup="linear", warmup_iters=15, warmup_ratio=1e-6)
    found = rates(v0(POLY_V0 | config))

    def formula(t):  # mmcv 1.x's PolyLrUpdaterHook and get_warmup_lr
        lr = (0.01 - 1e-4) * (1 - t / 100) ** 0.9 + 1e-4
        return lr * (1 - (1 - t / 15) * (1 - 1e-6)) if t < 15 else lr

    steps = (0, 1, 14, 15, 16, 50, 98, 99)
    assert found == pytest.approx([formula(t) for t in steps], rel=1e-6)
    # It never quite reaches min_lr.
    assert found[-1] > 1.5e-4


def test_steps_of_0x():
    config = dict(policy="step", step=[40, 80], gamma=0.1)
    assert rates(v0(config), steps=(39, 40, 99)) == pytest.approx([0.01, 0.001, 0.0001])
    # One number stands for all its multiples, and gamma is 0.1 unless said.
    config = dict(policy="step", step=40)
    assert rates(v0(config), steps=(39, 40, 80)) == pytest.approx([0.01, 0.001, 0.0001])


def test_cosine_of_0x():
    config = dict(policy="CosineAnnealing", min_lr=0.0, by_epoch=False)
    assert rates(v0(config), steps=(0, 50)) == pytest.approx([0.01, 0.005])


@pytest.mark.parametrize(
    "raw",
    [v0(dict(policy="fixed")), v0({}), v1([])],
)
def test_a_constant_rate(raw):
    ours, report = translated(raw)
    assert ours == [] and report == Report()


def test_a_single_scheduler_needs_no_list():
    assert translated(v1(WARM_UP))[0] == [WARM_UP]


@pytest.mark.parametrize(
    ("raw", "missing"),
    [
        (
            v1([dict(type="ReduceOnPlateauLR", by_epoch=True, begin=2)]),
            "ReduceOnPlateauLR(by_epoch=True)",
        ),
        # mmengine counts epochs where nothing is said.
        (v1([dict(type="PolyLR")]), "PolyLR(by_epoch=True)"),
        (v0(dict(policy="OneCycles")), "OneCyclesLrUpdater"),
        (
            v0(dict(policy="poly", by_epoch=True)),
            "PolyLrUpdater(by_epoch=True)",
        ),
        (
            v0(dict(policy="step", step=[1], min_lr=1e-5)),
            "StepLrUpdater(min_lr=1e-05)",
        ),
    ],
)
def test_schedules_that_are_missing(raw, missing):
    assert [name for _, name in translated(raw)[1].missing] == [missing]


def test_schedules_of_a_run_of_epochs():
    report, epochs = Report(), dict(max_epochs=9)
    converted = dict(type="PolyLR", convert_to_iter_based=True)
    ours = translate_schedule(v1([converted, WARM_UP]), epochs, report)
    assert ours == [dict(converted, by_epoch=True), WARM_UP]
    # One number stands for all its multiples, in epochs.
    ours = translate_schedule(v0(dict(policy="step", step=3)), epochs, report)
    assert ours == [dict(type="StepLrUpdater", step=[3, 6], by_epoch=True)]
    assert report == Report()


def test_what_counts_epochs_is_named_where_an_override_mends_it():
    warm_up = dict(warmup="linear", warmup_iters=2, warmup_by_epoch=True)
    lr_config = dict(policy="poly", by_epoch=True, **warm_up)
    assert translated(v0(lr_config))[1].missing == [
        ("param_scheduler.0.by_epoch", "PolyLrUpdater(by_epoch=True)"),
        ("param_scheduler.0.warmup_iters", "PolyLrUpdater(warmup_by_epoch=True)"),
    ]

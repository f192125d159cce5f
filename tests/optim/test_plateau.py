import jax
import numpy as np
import pytest

from jaxseg.config import ConfigError
from jaxseg.mmseg_config.report import Report
from jaxseg.mmseg_config.schedule import translate_schedule
from jaxseg.optim.plateau import follow
from jaxseg.optim.schedule import make_momentum_schedule, make_plateaus, make_schedule

SCORES = (50, 60, 60.005, 59, 61, 60, 60, 60, 60, 70, 69, 69, 69, 69, 69)
OF_LR = dict(type="ReduceOnPlateauLR", factor=0.5, monitor="mIoU", patience=1)

# {case: (param_scheduler, values of the base 0.1, of the base 1e-3, by epoch)}:
# mmengine 0.10.7's ReduceOnPlateauLR over an SGD of torch 2.13, SCORES after its epochs.
MMENGINE = {
    "greater": (
        [OF_LR],
        [0.1] * 4 + [0.05] * 3 + [0.025] * 2 + [0.0125] * 3 + [0.00625] * 2,
        [0.001] * 4 + [5e-4] * 3 + [2.5e-4] * 2 + [1.25e-4] * 3 + [6.25e-5] * 2,
    ),
    "less, absolute, with a cooldown and a lowest value": (
        [
            dict(
                OF_LR,
                monitor="loss",
                patience=0,
                threshold=2.0,
                threshold_rule="abs",
                cooldown=2,
                min_value=0.02,
            )
        ],
        [0.1] * 3 + [0.05] * 3 + [0.025] * 3 + [0.02] * 7,
        [0.001] * 16,
    ),
    "from the third epoch to the ninth": (
        [OF_LR | dict(by_epoch=True, begin=3, end=9)],
        [0.1] * 7 + [0.05] * 9,
        [0.001] * 7 + [5e-4] * 9,
    ),
    "with others": (
        [
            dict(type="LinearLR", start_factor=0.5, end=4),
            dict(type="MultiStepLR", milestones=[7]),
            OF_LR,
        ],
        [0.05, 0.066666667, 0.083333333, 0.1] + [0.05] * 3 + [0.0025] * 2 + [0.00125],
        [0.0005, 6.6666667e-4, 8.3333333e-4, 0.001] + [5e-4] * 3 + [2.5e-5] * 2,
    ),
}


def trained(param_scheduler, schedules):
    """The schedules' values in each of the epochs, of one iteration."""
    plateaus = list(make_plateaus(param_scheduler).values())
    states = tuple(plateau.init() for plateau in plateaus)
    for epoch, score in enumerate((*SCORES, 0)):
        yield [float(schedule(epoch, states)) for schedule in schedules]
        scores = dict(mIoU=score, loss=100 - score)
        states = follow(plateaus, states, epoch + 1, 1, scores)
        # A run that is continued reads of the same evaluation once more.
        again = follow(plateaus, states, epoch + 1, 1, dict(mIoU=-1.0, loss=-1.0))
        assert jax.device_get(again) == jax.device_get(states)


@pytest.mark.parametrize("case", MMENGINE)
def test_equals_mmengine(case):
    param_scheduler, *expected = MMENGINE[case]
    schedule_of = make_schedule(param_scheduler, 20, epoch_length=1)
    found = [*trained(param_scheduler, [schedule_of(0.1), schedule_of(1e-3)])]
    for values, column in zip(expected, np.transpose(found), strict=True):
        np.testing.assert_allclose(column[: len(values)], values, rtol=3e-7)


def test_of_the_momentum():
    param_scheduler = [dict(OF_LR, type="ReduceOnPlateauMomentum")]
    momentum = make_momentum_schedule(param_scheduler, 20)(0.8)
    rate = make_schedule(param_scheduler, 20)(0.1)
    found = np.transpose([*trained(param_scheduler, [momentum, rate])])
    expected = [0.8] * 4 + [0.4] * 3 + [0.2] * 2 + [0.1] * 3 + [0.05] * 2
    np.testing.assert_allclose(found[0][:14], expected, rtol=3e-7)
    np.testing.assert_allclose(found[1], 0.1, rtol=3e-7)


def test_a_reduction_compiles_nothing():
    traces = []
    (plateau,) = make_plateaus([dict(OF_LR, patience=0)]).values()
    schedule = make_schedule([dict(OF_LR, patience=0)], 9)(1.0)

    @jax.jit
    def rate(step, states):
        traces.append(1)
        return schedule(step, states)

    states, found = (plateau.init(),), []
    for step in range(4):
        found.append(float(rate(step, states)))
        states = follow([plateau], states, step + 1, None, dict(mIoU=5.0))
    assert found == [1, 1, 0.5, 0.25] and len(traces) == 1


def test_translated():
    entry = dict(type="ReduceOnPlateauLR", monitor="mIoU", patience=2, eps=1e-9)
    raw = dict(default_scope="mmseg", param_scheduler=entry)
    found = {}
    for length in ("max_iters", "max_epochs"):
        report = Report()
        (found[length],) = translate_schedule(raw, {length: 9}, report)
        assert report.missing == [] and report.notes == []
        assert report.all_notes() == [
            "param_scheduler: without effect here (docs/config.md says why): 0.eps"
        ]
    # mmengine's rule is less, whatever the score.
    ours = dict(type="ReduceOnPlateauLR", monitor="mIoU", rule="less", patience=2)
    assert found == dict(
        max_iters=dict(ours, by_epoch=False), max_epochs=dict(ours, by_epoch=True)
    )


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (dict(factor=1.0), r"param_scheduler\.0\.factor: needs to be in \(0, 1\)"),
        (dict(rule="more"), r"param_scheduler\.0\.rule: found 'more'"),
        (dict(threshold_rule="x"), r"param_scheduler\.0\.threshold_rule: found 'x'"),
        (dict(patience=-1), r"param_scheduler\.0\.patience: needs to be >= 0"),
        (dict(begin=4, end=4), r"param_scheduler\.0\.end: needs to be > begin=4"),
        (dict(by_epoch=True), r"param_scheduler\.0\.by_epoch: True counts epochs"),
        (dict(eps=1.0), r"param_scheduler\.0\.eps: this key is not known"),
    ],
)
def test_what_is_wrong_is_named(keys, message):
    with pytest.raises(ConfigError, match=message):
        make_schedule([OF_LR | keys], 10)

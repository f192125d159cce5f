import re

import pytest

from jaxseg.hooks.early_stopping import EarlyStoppingHook
from jaxseg.hooks.hook import Training
from jaxseg.hooks.rule import rule_of

LOSSES = dict(monitor="val_loss", min_delta=0.0)


def stopped_after(scores, **options):
    """The evaluations that a hook lets pass, and why it ends the training."""
    hook = EarlyStoppingHook(**dict(monitor="mIoU", patience=2) | options)
    training = Training({}, "", 100)
    for step, score in enumerate(scores, 1):
        hook.after_evaluation(training, step, {hook.monitor: score})
        if training.stop_reason:
            return step, training.stop_reason
    return None


@pytest.mark.parametrize(
    ("scores", "options", "step", "reason"),
    [
        # mmengine 0.10.7's hook ends after the same ones. 40.05 is no better than 40
        # by 0.1, but the next is.
        ([40, 40.05, 41, 41.05, 40], {}, 5, "better than 41 in 2 eval.*up to step 5"),
        ([40, 40, 40], dict(min_delta=0.0, patience=1), None, ""),
        ([3.0, 2.0, 2.5, 2.4], LOSSES, 4, "val_loss has not become better than 2 in 2"),
        ([3.0, 2.0, 1.0], dict(LOSSES, stopping_threshold=1.5), 3, "threshold of 1.5"),
        ([40, float("nan")], {}, 2, "mIoU is nan at step 2, and not finite"),
        ([50, 60], dict(rule="less", patience=1), 2, "has not become better than 50"),
    ],
)
def test_when_it_stops(scores, options, step, reason):
    found = stopped_after(scores, **options)
    if step is None:
        assert found is None
    else:
        assert found[0] == step
        assert re.search(reason, found[1])


def test_a_run_that_is_continued_waits_on():
    hook = EarlyStoppingHook(monitor="mIoU", patience=2)
    training = Training({}, "", 100, history=[(1, {"mIoU": 40}), (2, {"mIoU": 30})])
    hook.before_run(training)
    assert training.stop_reason is None
    hook.after_evaluation(training, 3, {"mIoU": 35})
    assert "in 2 evaluations" in training.stop_reason


def test_errors_and_distances_are_better_when_they_are_less():
    names = ("mIoU", "ECE", "0_ECE", "mHD95", "decode.loss_ce", "mBoundaryIoU")
    rules = [rule_of(name, None) for name in names]
    assert rules == ["greater", "less", "less", "less", "less", "greater"]
    assert rule_of("ECE", "greater") == "greater"

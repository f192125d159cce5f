"""SIGTERM: the run saves, exits with 143 within five seconds, and can go on."""

import json
import signal
import time

import pytest

SECONDS = 5.0


def stop(run):
    """Sends SIGTERM; returns the output of the run, which ends in time."""
    sent = run.send(signal.SIGTERM)
    output = run.finish(143)
    assert time.monotonic() - sent < SECONDS
    assert "SIGTERM: saving and stopping" in output
    return output


def saved_steps(workdir):
    names = [path.name for path in (workdir / "checkpoints").glob("*")]
    return sorted(map(int, names))


def test_stopped_between_two_steps(command, tiny, tmp_path, assert_same_result):
    workdir = tmp_path / "run"
    run = command(*tiny, "--workdir", workdir)
    run.wait_for("train 13/60")
    stop(run)
    step = saved_steps(workdir)[-1]
    assert step >= 13
    output = command(*tiny, "--workdir", workdir).finish()
    assert f"resumed at step {step}" in output
    assert f"train {step}/60" not in output  # no step is done twice
    assert_same_result(workdir)


@pytest.mark.faults
def test_stopped_by_a_terminal_that_was_closed(
    command, tiny, tmp_path, assert_same_result
):
    workdir = tmp_path / "run"
    run = command(*tiny, "--workdir", workdir)
    run.wait_for("train 13/60")
    run.send(signal.SIGHUP)
    assert "SIGHUP: saving and stopping" in run.finish(129)
    command(*tiny, "--workdir", workdir).finish()
    assert_same_result(workdir)


@pytest.mark.faults
def test_stopped_during_an_evaluation(
    command, tiny, tmp_path, slow_images, assert_same_result
):
    workdir = tmp_path / "run"
    arguments, environment = slow_images("val", seconds=60)
    run = command(*tiny, *arguments, "--workdir", workdir, **environment)
    run.wait_for("waiting for")
    stop(run)
    assert saved_steps(workdir)[-1] == 30
    output = command(*tiny, "--workdir", workdir).finish()
    # The evaluation that was cut short comes first.
    assert output.index("val 30 ") < output.index("train 31/60")
    assert_same_result(workdir)


def test_stopped_during_the_first_compilation(command, tiny, tmp_path):
    workdir = tmp_path / "run"
    run = command(*tiny, "--workdir", workdir, HOME=str(tmp_path))  # nothing compiled
    run.wait_for("optimiser: SGD")
    time.sleep(0.2)  # what is left before the compilation takes milliseconds
    assert "train 1/60" not in stop(run)
    assert saved_steps(workdir) == []


@pytest.mark.faults
def test_stopped_while_waiting_for_a_batch(command, tiny, tmp_path, slow_images):
    workdir = tmp_path / "run"
    arguments, environment = slow_images("train", seconds=60)
    run = command(*tiny, *arguments, "--workdir", workdir, **environment)
    run.wait_for("waiting for")
    stop(run)
    assert saved_steps(workdir) == []


@pytest.mark.faults
def test_stopped_in_its_last_evaluation_it_still_reports(
    command, tiny, tmp_path, slow_images
):
    workdir = tmp_path / "run"
    short = ("--config.train_cfg.max_iters=4", "--workdir", workdir)
    arguments, environment = slow_images("val", seconds=60)
    run = command(*tiny, *arguments, *short, **environment)
    run.wait_for("waiting for")
    stop(run)
    output = command(*tiny, *short).finish()
    assert "val mIoU" in output.splitlines()[-1]
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["split"] for line in lines] == ["train"] * 4 + ["val"]

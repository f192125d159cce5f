"""kill -9: started again with the same command, a run ends with the same bits."""

import signal

import numpy as np
import pytest


def unfinished(workdir):
    """Whether a checkpoint is being written."""

    def check():
        steps = [p for p in (workdir / "checkpoints").glob("*") if p.name.isdecimal()]
        return any(not (step / "commit_success.txt").exists() for step in steps)

    return check


def kill_again_and_again(command, arguments, workdir, moments):
    """Kills a run at each moment, and starts it again; then lets it end.

    A moment is a step to wait for and a number of seconds after that, or 'saving'.
    """
    for moment in moments:
        run = command(*arguments, "--workdir", workdir)
        if moment == "saving":
            run.wait_for(unfinished(workdir))
        else:
            run.wait_for(f"train {moment}/60")
        run.send(signal.SIGKILL)
        run.finish(-signal.SIGKILL)
    return command(*arguments, "--workdir", workdir).finish()


@pytest.mark.faults
def test_killed_at_random_steps_and_while_saving(
    command, tiny, tmp_path, assert_same_result
):
    workdir = tmp_path / "run"
    rng = np.random.default_rng(0)
    first, second = sorted(rng.integers(11, 59, 2))
    output = kill_again_and_again(command, tiny, workdir, ["saving", first, second])
    assert "resumed at step" in output
    assert_same_result(workdir)


@pytest.mark.faults
def test_killed_in_an_evaluation_it_has_lost_no_step(
    command, tiny, tmp_path, slow_images, assert_same_result
):
    workdir = tmp_path / "run"
    arguments, environment = slow_images("val", seconds=60)
    run = command(*tiny, *arguments, "--workdir", workdir, **environment)
    run.wait_for("waiting for")
    run.wait_for((workdir / "checkpoints/30/commit_success.txt").exists)
    run.send(signal.SIGKILL)
    run.finish(-signal.SIGKILL)
    output = command(*tiny, "--workdir", workdir).finish()
    assert "resumed at step 30" in output
    assert output.index("val 30 ") < output.index("train 31/60")
    assert_same_result(workdir)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(5))
def test_killed_at_many_moments(command, tiny, tmp_path, assert_same_result, seed):
    workdir = tmp_path / "run"
    rng = np.random.default_rng(seed)
    steps = sorted(rng.integers(1, 59, 4))
    moments = ["saving", *steps[:2], "saving", *steps[2:]]
    kill_again_and_again(command, tiny, workdir, moments)
    assert_same_result(workdir)

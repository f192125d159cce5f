"""A disk that fills up under a run, and one that cannot be written at all."""

import resource

import pytest

from jaxseg.checkpoint.reader import load_weights

# Above what the log with its tracebacks needs, below a checkpoint of the wider model.
LIMIT = 300 * 1024
WIDE = (
    "--config.model.backbone.base_channels=16",
    "--config.model.decode_head.in_channels=16",
    "--config.model.decode_head.channels=512",
    "--config.default_hooks.logger.interval=2",
)


def limit_files(run, size):
    """A file that would grow past `size` is refused, as by a full disk."""
    limits = (size, resource.RLIM_INFINITY)
    resource.prlimit(run.process.pid, resource.RLIMIT_FSIZE, limits)


def steps_of(workdir):
    return sorted(int(p.name) for p in (workdir / "checkpoints").iterdir())


@pytest.mark.faults
def test_a_disk_that_is_full_for_a_while_costs_no_step(command, tiny, tmp_path):
    run = command(*tiny, *WIDE, "--workdir", tmp_path)
    run.wait_for("train 12/60")
    limit_files(run, LIMIT)
    run.wait_for("saving this checkpoint failed")
    assert load_weights(tmp_path)["step"] == 10
    limit_files(run, resource.RLIM_INFINITY)
    output = run.finish()
    assert f"{tmp_path}/checkpoints/20: saving this checkpoint failed" in output
    assert steps_of(tmp_path)[-1] == 60
    assert not (tmp_path / "checkpoints" / "20").exists()


@pytest.mark.faults
def test_a_last_checkpoint_that_fails_fails_the_run(command, tiny, tmp_path):
    run = command(*tiny, *WIDE, "--workdir", tmp_path)
    run.wait_for("train 12/60")
    limit_files(run, LIMIT)
    output = run.finish(1)
    assert "train 60/60" in output  # it trained on
    assert "error: " in output and "the last checkpoint was not saved" in output
    assert steps_of(tmp_path) == [10]  # and nothing half written
    assert load_weights(tmp_path)["step"] == 10


def test_a_workdir_that_cannot_be_made_is_refused(command, tiny, tmp_path):
    (tmp_path / "file").write_text("")
    run = command(*tiny, "--workdir", tmp_path / "file" / "run")
    output = run.finish(1)
    assert "error: " in output and "cannot be written" in output
    assert "Traceback" not in output
    assert "optimiser" not in output  # before anything was built

"""Workers that die, data that never comes, a step that never ends."""

import os
import pathlib
import signal
import time

import pytest

pytestmark = pytest.mark.faults


def children_of(pid):
    """Processes below a process, at any depth."""
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it ended in between
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            child = int(stat.parent.name)
            found += [child, *children_of(child)]
    return found


def workers_of(pids):
    """The living among them that are worker processes of the data."""
    alive = []
    for pid in pids:
        try:
            text = pathlib.Path(f"/proc/{pid}/cmdline").read_text()
        except OSError:
            continue
        if "spawn_main" in text:
            alive.append(pid)
    return alive


def test_a_killed_worker_is_an_error_with_its_exit_code(command, tiny, tmp_path):
    run = command(
        *tiny, "--workdir", tmp_path, "--config.train_dataloader.num_workers=1"
    )
    run.wait_for("train 3/60")
    workers = workers_of(children_of(run.process.pid))
    assert workers
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    code = run.process.wait()
    assert time.monotonic() - killed < 15
    assert code == 1
    assert "error: a worker process of the data ended" in run.output()
    assert f"exit code -9 (process {workers[0]})" in run.output()
    assert "Traceback" not in run.output()


# A worker may take long to start; with 0 quick images the very first batch hangs.
@pytest.mark.parametrize(
    ("workers", "limit", "quick"), [(0, 10, 24), (1, 30, 24), (0, 5, 0)]
)
def test_no_batch_for_too_long_ends_the_run(
    command, tiny, tmp_path, slow_images, workers, limit, quick
):
    arguments, environment = slow_images("train", seconds=600, quick=quick)
    run = command(
        *tiny,
        *arguments,
        "--workdir",
        tmp_path,
        f"--config.train_dataloader.num_workers={workers}",
        f"--config.train_cfg.batch_timeout={limit}",
        **environment,
    )
    run.wait_for("waiting for")
    below = children_of(run.process.pid)
    output = run.finish(124)
    assert f"error: no batch from train_dataloader for {limit} s" in output
    assert "most recent call first" in output  # the stacks
    assert workers_of(below) == []


HUNG_HEAD = """
import dataclasses, itertools, time
import jax
from jaxseg.heads import FCNHead
from jaxseg.registry import register

calls = itertools.count()

def hang():
    if next(calls) >= 5:
        print("a step hangs", flush=True)
        time.sleep(600)

@register
class HungHead(FCNHead):
    def loss(self, *arguments, **names):
        jax.debug.callback(hang)
        return super().loss(*arguments, **names)
"""


def test_a_step_that_does_not_end_ends_the_run(command, tiny, tmp_path):
    (tmp_path / "hung_head.py").write_text(HUNG_HEAD)
    run = command(
        *tiny,
        "--workdir",
        tmp_path / "run",
        "--config.custom_imports={'imports': ['hung_head']}",
        "--config.model.decode_head.type=HungHead",
        "--config.train_cfg.step_timeout=5",
        PYTHONPATH=str(tmp_path),
    )
    output = run.finish(124)
    assert "a step hangs" in output
    assert "error: a training step has not ended for 5 s" in output
    assert "most recent call first" in output


def test_ctrl_c_leaves_no_worker(command, tiny, tmp_path):
    run = command(
        *tiny, "--workdir", tmp_path, "--config.train_dataloader.num_workers=1"
    )
    run.wait_for("train 3/60")
    below = children_of(run.process.pid)
    assert workers_of(below)
    run.send(signal.SIGINT)
    run.finish(130)
    assert workers_of(below) == []


@pytest.mark.parametrize("last", [signal.SIGTERM, signal.SIGKILL, signal.SIGABRT])
def test_a_run_that_ends_at_once_leaves_no_worker(command, tiny, tmp_path, last):
    run = command(
        *tiny, "--workdir", tmp_path, "--config.train_dataloader.num_workers=1"
    )
    run.wait_for("train 3/60")
    below = children_of(run.process.pid)
    assert workers_of(below)
    run.send(signal.SIGTERM)
    run.send(last)
    run.process.wait()
    end = time.monotonic() + 10
    while workers_of(below) and time.monotonic() < end:
        time.sleep(0.05)
    assert workers_of(below) == []

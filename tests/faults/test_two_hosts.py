"""A run of two processes, each with its own device and its own part of the batch."""

import re
import signal
import socket
import time

import numpy as np
import pytest

from jaxseg.runtime.metrics_file import read_metrics
from tests.xla_flags import xla_flags

pytestmark = pytest.mark.faults


# Seconds without a sign of life after which a process counts as lost.
HEARTBEAT = 10


def start_both(command, arguments, of_second=None, heartbeat=60, **variables):
    """Starts two processes; the second one alone has the variables `of_second`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    return [
        command(
            *arguments,
            f"--coordinator={address}",
            "--num_processes=2",
            f"--process_id={rank}",
            f"--heartbeat_timeout={heartbeat}",
            f"--shutdown_timeout={HEARTBEAT}",
            deadline=300,
            **variables,
            **((of_second or {}) if rank else {}),
        )
        for rank in range(2)
    ]


def losses_of(workdir):
    return {
        (line["step"], line["split"]): line.get("loss", line.get("mIoU"))
        for line in read_metrics(workdir / "metrics.jsonl")
    }


@pytest.fixture(scope="module")
def one_process(command, tiny, tmp_path_factory):
    """The same run in one process with two devices."""
    workdir = tmp_path_factory.mktemp("one_process")
    command(*tiny, f"--workdir={workdir}", XLA_FLAGS=xla_flags(2)).finish()
    return losses_of(workdir)


def assert_same(workdir, expected):
    found = losses_of(workdir)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        # Another order of summation; a pixel between two classes may change sides.
        tolerance = 1e-6 if key[1] == "train" else 1e-3
        np.testing.assert_allclose(found[key], value, rtol=tolerance, err_msg=str(key))


def test_two_processes_train_and_evaluate_as_one(command, tiny, tmp_path, one_process):
    both = start_both(command, [*tiny, f"--workdir={tmp_path}"])
    outputs = [run.finish() for run in both]
    assert_same(tmp_path, one_process)
    assert "val mIoU" in outputs[0]
    # Process 0 speaks for all; what Gloo prints is not ours.
    silent = [line for line in outputs[1].splitlines() if "[Gloo]" not in line]
    assert silent == []


def test_sigterm_to_one_stops_both_at_the_same_step(
    command, tiny, tmp_path, one_process
):
    arguments = [*tiny, f"--workdir={tmp_path}"]
    both = start_both(command, arguments)
    both[0].wait_for("train 13/60")
    both[1].send(signal.SIGTERM)
    for run in both:
        run.finish(143)
    outputs = [run.finish() for run in start_both(command, arguments)]
    assert "resumed at step" in outputs[0]
    assert_same(tmp_path, one_process)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_lost_process_ends_the_other_and_a_restart_goes_on(
    command, tiny, tmp_path, one_process, number
):
    arguments = [*tiny, f"--workdir={tmp_path}"]
    both = start_both(command, arguments, heartbeat=HEARTBEAT)
    both[0].wait_for("train 13/60")
    sent = both[1].send(number)
    assert both[0].process.wait() != 0
    assert time.monotonic() - sent < HEARTBEAT + 5
    both[1].process.kill()
    both[1].process.wait()
    # JAX's message says which one it was, in one of two forms.
    lost = r"Task 1 heartbeat timeout|stopped sending heartbeats\):\s+1\s"
    assert re.search(lost, both[0].output())
    newest = max(
        int(path.parent.name)
        for path in (tmp_path / "checkpoints").glob("*/commit_success.txt")
    )
    assert newest >= 10
    outputs = [run.finish() for run in start_both(command, arguments)]
    assert f"resumed at step {newest} of" in outputs[0]
    assert_same(tmp_path, one_process)


def test_an_error_of_one_host_ends_both(command, tiny, tmp_path, slow_images):
    arguments, variables = slow_images("train", seconds=0)
    both = start_both(
        command,
        [*tiny, *arguments, f"--workdir={tmp_path}"],
        of_second={"FAIL_AFTER": "40"},
        **variables,
    )
    codes = [run.process.wait() for run in both]
    assert all(codes)
    # Each host has a log of its own, and the error is in that of the second.
    assert "error: process 1 of 2: planned failure" in both[1].output()
    assert "planned failure" not in both[0].output()


def test_an_error_of_one_host_in_an_evaluation_loses_no_step(
    command, tiny, tmp_path, slow_images, one_process
):
    arguments, variables = slow_images("val", seconds=0)
    workdir = f"--workdir={tmp_path}"
    both = start_both(
        command,
        [*tiny, *arguments, workdir],
        of_second={"FAIL_AFTER": "2"},
        **variables,
    )
    codes = [run.process.wait() for run in both]
    assert all(codes)
    assert "error: process 1 of 2: planned failure" in both[1].output()
    outputs = [run.finish() for run in start_both(command, [*tiny, workdir])]
    assert "resumed at step 30" in outputs[0]
    # The evaluation that failed comes first.
    assert outputs[0].index("val 30 ") < outputs[0].index("train 31/60")
    assert_same(tmp_path, one_process)


@pytest.mark.parametrize("to_both", [True, False])
def test_ctrl_c_stops_both_at_the_same_step_and_ends_with_130(
    command, tiny, tmp_path, one_process, to_both
):
    arguments = [*tiny, f"--workdir={tmp_path}"]
    both = start_both(command, arguments)
    both[0].wait_for("train 13/60")
    both[1].send(signal.SIGINT)
    if to_both:  # as a terminal does
        both[0].send(signal.SIGINT)
    outputs = [run.finish(130) for run in both]
    assert "SIGINT: saving and stopping" in outputs[1]
    outputs = [run.finish() for run in start_both(command, arguments)]
    assert "resumed at step" in outputs[0]
    assert_same(tmp_path, one_process)

"""A run of two processes, each with its own device and its own part of the batch."""

import signal
import socket

import numpy as np
import pytest

from jaxseg.train.log import read_metrics

pytestmark = pytest.mark.long


def start_both(command, arguments):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    return [
        command(*arguments, "--distributed", f"--coordinator={address},2,{rank}")
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
    flags = "--xla_force_host_platform_device_count=2"
    command(*tiny, f"--workdir={workdir}", XLA_FLAGS=flags).finish()
    return losses_of(workdir)


def assert_same(workdir, expected):
    found = losses_of(workdir)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        # Another order of summation; measured here: below 1e-6 for the losses.
        tolerance = 1e-5 if key[1] == "train" else 1e-3
        np.testing.assert_allclose(found[key], value, rtol=tolerance, err_msg=str(key))


def test_two_processes_train_and_evaluate_as_one(command, tiny, tmp_path, one_process):
    both = start_both(command, [*tiny, f"--workdir={tmp_path}"])
    outputs = [run.finish() for run in both]
    assert_same(tmp_path, one_process)
    assert "val mIoU" in outputs[0]
    assert "val mIoU" not in outputs[1]  # process 0 speaks for all


def test_sigterm_to_one_stops_both_at_the_same_step(
    command, tiny, tmp_path, one_process
):
    arguments = [*tiny, f"--workdir={tmp_path}"]
    both = start_both(command, arguments)
    both[0].wait_for("train 13/60")
    both[1].send(signal.SIGTERM)
    for run in both:
        run.finish(143)
    for run in start_both(command, arguments):
        assert "resumed at step" in run.finish()
    assert_same(tmp_path, one_process)

"""Checkpoints, the shared workdir and preemption of a run of two processes."""

import os
import signal
import socket

import pytest

from tests.xla_flags import xla_flags

PROGRAM = """
import shutil, sys, time
from pathlib import Path
import jax, numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
address, rank, directory = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
jax.distributed.initialize(address, 2, rank, coordinator_bind_address=address)
from jaxseg.checkpoint import manifest
from jaxseg.checkpoint.errors import DamagedCheckpointError
from jaxseg.checkpoint.store import Checkpoints
from jaxseg.runtime.preemption import StopSignal
from jaxseg.runtime.workdir import WorkdirError, check_shared

check_shared(directory)
(directory / f"own{rank}").mkdir()
try:
    check_shared(directory / f"own{rank}")
except WorkdirError as error:
    assert "processes 1 do not see" in str(error), error
else:
    raise AssertionError("two directories passed as one")

mesh = jax.make_mesh((2,), ("data",), (AxisType.Auto,))

def put(value, *axes):
    sharding = NamedSharding(mesh, P(*axes))
    return jax.make_array_from_callback(value.shape, sharding, lambda i: value[i])

def state(step):
    values = np.arange(4000, dtype=np.float32).reshape(40, 100) + step
    return {"params": {"split": put(values, "data"), "whole": put(-values)}}

with Checkpoints(directory / "checkpoints") as checkpoints:
    for step in (1, 2):
        checkpoints.save(step, state(step), config={})
    checkpoints.wait()
    if rank == 0:  # seen by both, or the two would fall apart
        for path in (directory / "checkpoints/2/state").rglob("d/*"):
            path.write_bytes(path.read_bytes()[::-1])
    jax.experimental.multihost_utils.sync_global_devices("damaged")
    like = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), state(0)
    )
    restored, step = checkpoints.restore(like)
    assert step == 1, step
    for a, b in zip(jax.tree.leaves(restored), jax.tree.leaves(state(1))):
        assert a.sharding == b.sharding
        for x, y in zip(a.addressable_shards, b.addressable_shards):
            np.testing.assert_array_equal(x.data, y.data)
    assert checkpoints.save(2, state(2), config={})
    checkpoints.wait()
    if rank == 1:  # what one host cannot read, the other does not go on from
        check_data = manifest.check_data
        def check(path, *rest):
            check_data(path, *rest)
            if path.name == "2":
                raise DamagedCheckpointError("damaged in this host's memory")
        manifest.check_data = check
    restored, step = checkpoints.restore(like)
    assert step == 1, step

with StopSignal() as stop:
    print("ready", flush=True)
    for step in range(2000):
        time.sleep(0.01)
        if stop.poll(step):
            print("stopped at", step, flush=True)
            break
jax.distributed.shutdown()
sys.exit(stop.exit_code)
"""


@pytest.fixture
def address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def read_line(process):
    """Returns the next line that the program printed; Gloo prints to stdout too."""
    line = "[Gloo]"
    while line.startswith("[Gloo]"):
        line = process.stdout.readline()
    return line


def test_two_processes_save_fall_back_and_stop_as_one(tmp_path, address, spawn):
    environment = {**os.environ, "XLA_FLAGS": xla_flags(), "JAX_PLATFORMS": "cpu"}
    processes = [
        spawn(PROGRAM, address, rank, tmp_path, env=environment) for rank in range(2)
    ]
    for process in processes:
        assert read_line(process) == "ready\n"
    processes[1].send_signal(signal.SIGTERM)  # one host is preempted
    stopped = [read_line(process) for process in processes]
    assert stopped[0].startswith("stopped at")
    assert stopped[0] == stopped[1]
    assert [process.wait(timeout=20) for process in processes] == [143, 143]

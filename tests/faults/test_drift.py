"""Hosts whose copies of the state have drifted apart."""

import os
import socket
import subprocess
import sys

import pytest

from tests.xla_flags import xla_flags

PROGRAM = """
import sys
import jax, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxseg.checkpoint.errors import HostsDriftedError
from jaxseg.checkpoint.store import Checkpoints

address, rank, directory = sys.argv[1], int(sys.argv[2]), sys.argv[3]
jax.distributed.initialize(address, num_processes=2, process_id=rank)
mesh = Mesh(np.array(jax.devices()), ("data",))
everywhere = NamedSharding(mesh, PartitionSpec())

def replicated(value):
    # Each host's own value, under the claim that it is everybody's.
    local = jax.device_put(value, jax.local_devices()[0])
    return jax.make_array_from_single_device_arrays(value.shape, everywhere, [local])

kernel = np.ones((3, 3), np.float32)
state = {"bias": replicated(np.zeros(2, np.float32)), "kernel": replicated(kernel)}
with Checkpoints(directory) as checkpoints:
    checkpoints.save(10, state, config={})
    checkpoints.wait()
    kernel = kernel.copy()
    kernel[1, 1] += 1e-7 * 2 * rank
    state["kernel"] = replicated(kernel)
    try:
        checkpoints.save(20, state, config={})
    except HostsDriftedError as error:
        print("drifted:", error, checkpoints.steps(), flush=True)
jax.distributed.shutdown()
"""


@pytest.mark.faults
def test_copies_that_differ_are_not_saved_and_named(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    environment = {**os.environ, "XLA_FLAGS": xla_flags(), "JAX_PLATFORMS": "cpu"}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, address, str(rank), str(tmp_path)],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        outputs = [process.communicate(timeout=100)[0] for process in both]
    finally:
        for process in both:
            process.kill()
    for output in outputs:
        assert "drifted: step 20: the hosts no longer hold the same state" in output
        assert "processes 1 differ from process 0 in kernel." in output
        assert "[10]" in output

"""What is passed to jax.distributed, by flags and in the environment of each cluster.

The variables are those that jax 0.10.2 reads (jax/_src/clusters); no process is started
here. tests/faults/test_hosts.py starts them.
"""

import os

import jax
import pytest
from absl import flags
from absl.testing import flagsaver
from jax._src import clusters, distributed
from jax._src.clusters import cloud_tpu_cluster, cluster

from jaxseg import main
from jaxseg.runtime import hosts

# Where each of them runs, these are set.
CLUSTERS = ("SLURM_", "OMPI_", "TPU_", "MEGASCALE_", "KUBERNETES_", "JAX_")


@pytest.fixture
def no_cluster(monkeypatch):
    for name in list(os.environ):
        if name.startswith(CLUSTERS) and name != "JAX_PLATFORMS":
            monkeypatch.delenv(name)
    return monkeypatch


@pytest.fixture
def passed(no_cluster):
    """The arguments of jax.distributed.initialize, which does nothing."""
    arguments = {}

    def initialize(coordinator, num_processes, process_id, **more):
        arguments.update(
            more, address=coordinator, count=num_processes, index=process_id
        )

    no_cluster.setattr(jax.distributed, "initialize", initialize)
    # The switch is JAX's for the whole process, of all tests.
    before = jax.config.jax_enable_preemption_service
    yield arguments
    jax.config.update("jax_enable_preemption_service", before)


def test_explicit_flags_bind_the_address_that_they_name(passed):
    with flagsaver.flagsaver(
        coordinator="127.0.0.1:1234", num_processes=2, process_id=0
    ):
        main._join_hosts()
    assert (passed["address"], passed["count"], passed["index"]) == (
        "127.0.0.1:1234",
        2,
        0,
    )
    assert passed["coordinator_bind_address"] == "127.0.0.1:1234"
    assert passed["cluster_detection_method"] == "deactivate"
    assert passed["heartbeat_timeout_seconds"] == 60
    assert passed["shutdown_timeout_seconds"] == 300
    assert passed["initialization_timeout"] > 300  # ours comes first
    assert jax.config.jax_enable_preemption_service


def test_detection_is_left_to_jax(passed):
    with flagsaver.flagsaver(distributed=True, heartbeat_timeout=10):
        main._join_hosts()
    assert (passed["address"], passed["count"], passed["index"]) == (None, None, None)
    assert passed["cluster_detection_method"] is None
    assert passed["coordinator_bind_address"] is None
    assert passed["heartbeat_timeout_seconds"] == 10


def test_the_variable_names_another_address_to_listen_on(passed, monkeypatch):
    monkeypatch.setenv("JAX_COORDINATOR_BIND_ADDRESS", "10.0.0.1:1")
    hosts.initialize("host0:1", 2, 1)
    assert passed["coordinator_bind_address"] == "10.0.0.1:1"


@pytest.mark.parametrize("mode", ["eval", "predict"])
def test_where_nothing_polls_sigterm_stays_with_the_process(passed, mode):
    with flagsaver.flagsaver(distributed=True, mode=mode):
        main._join_hosts()
    assert not jax.config.jax_enable_preemption_service


def test_without_flags_nothing_is_initialised(passed):
    main._join_hosts()
    assert passed == {}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (dict(coordinator="a:1"), "--num_processes and --process_id missing"),
        (dict(process_id=0, num_processes=2), "--coordinator missing"),
        (
            dict(coordinator="a", num_processes=2, process_id=0),
            "--coordinator is 'a'; it takes ADDRESS:PORT",
        ),
        (
            dict(coordinator="a:1", num_processes=2, process_id=2),
            "--process_id is 2, of --num_processes=2 it is one from 0 to 1",
        ),
    ],
    ids=str,
)
def test_flags_that_do_not_go_together(passed, given, message):
    with flagsaver.flagsaver(**given), pytest.raises(flags.Error, match=message):
        main._join_hosts()
    assert passed == {}


def test_nothing_is_detected_here(no_cluster):
    no_cluster.setattr(distributed, "global_state", distributed.State())
    no_cluster.setattr(
        jax.distributed,
        "initialize",
        lambda *a, **k: distributed.global_state.initialize(
            *a, cluster_detection_method=k["cluster_detection_method"]
        ),
    )
    with pytest.raises(hosts.HostsError, match="detects neither Slurm.*--coordinator"):
        hosts.initialize()


def detected():
    return clusters.ClusterEnv.auto_detect_unset_distributed_params(
        None, None, None, None, None, 1
    )


def test_slurm(no_cluster):
    variables = {
        "SLURM_JOB_ID": "4097",
        "SLURM_STEP_NODELIST": "node[07-09]",
        "SLURM_NTASKS": "24",
        "SLURM_PROCID": "9",
        "SLURM_LOCALID": "1",
    }
    for name, value in variables.items():
        no_cluster.setenv(name, value)
    assert detected() == ("node07:61441", 24, 9, [1])


def test_open_mpi(no_cluster):
    variables = {
        "OMPI_MCA_orte_hnp_uri": "8192.0;tcp://10.96.0.1,10.148.0.1:34911",
        "OMPI_COMM_WORLD_SIZE": "4",
        "OMPI_COMM_WORLD_RANK": "2",
        "OMPI_COMM_WORLD_LOCAL_RANK": "0",
    }
    for name, value in variables.items():
        no_cluster.setenv(name, value)
    assert detected() == ("10.96.0.1:61442", 4, 2, [0])


def on_tpu(monkeypatch, metadata):
    for module in (cluster, cloud_tpu_cluster):
        monkeypatch.setattr(module, "running_in_cloud_tpu_vm", True)
    monkeypatch.setattr(
        cloud_tpu_cluster,
        "get_metadata",
        lambda key: (metadata[key], 200) if key in metadata else ("", 404),
    )


def test_tpu_pod(no_cluster):
    on_tpu(
        no_cluster,
        {
            "agent-worker-number": "1",
            "worker-network-endpoints": "w:0:127.0.0.1,w:1:127.0.0.2",
            "tpu-env": "",
        },
    )
    assert detected() == ("127.0.0.1:8482", 2, 1, None)


def test_gke(no_cluster):
    on_tpu(no_cluster, {"tpu-env": ""})
    no_cluster.setenv("TPU_SKIP_MDS_QUERY", "true")
    no_cluster.setenv("TPU_WORKER_HOSTNAMES", "localhost,localhost,localhost")
    no_cluster.setenv("TPU_WORKER_ID", "2")
    assert detected() == ("localhost:8482", 3, 2, None)

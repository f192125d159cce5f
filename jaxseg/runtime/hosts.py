"""Hosts: several processes as one run: how they find each other, and how one fails."""

import collections
import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator

import jax
from jax._src import distributed  # its state says whom a process is waiting for

from jaxseg.errors import JaxsegError
from jaxseg.runtime.agreement import check_agreement
from jaxseg.runtime.output import say

# JAX ends a process whose time is up by SIGABRT; ours is up before, with a sentence.
_MARGIN = 60

# Seconds that a process which fails waits for the others, which may fail in the same
# way; `jax.distributed` would wait for shutdown_timeout.
_LAST_WORDS = 10


class HostsError(JaxsegError):
    """The processes of a run did not find each other."""


def initialize(
    coordinator: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
    *,
    initialization_timeout: int = 300,
    heartbeat_timeout: int = 60,
    shutdown_timeout: int = 300,
    polls_for_sigterm: bool = True,
) -> None:
    """Joins this process to the others of its run, before anything else uses JAX.

    Args:
        coordinator: ADDRESS:PORT of process 0, which listens there and nowhere else.
            None, and so the next two: what JAX detects (Slurm, a TPU pod, GKE, Open
            MPI), and process 0 listens on all of its addresses. The variable
            JAX_COORDINATOR_BIND_ADDRESS names another address for it.
        num_processes: the number of processes of the run.
        process_id: which one this is, from 0.
        initialization_timeout: seconds in which all must have joined.
        heartbeat_timeout: seconds without a sign of life after which a process counts
            as lost, and the others end.
        shutdown_timeout: seconds that a process which is done waits for the others;
            process 0 draws pictures and reports in them.
        polls_for_sigterm: `StopSignal.poll` will be called: JAX takes SIGTERM for
            itself. Without, SIGTERM ends the process as usual.

    Raises:
        HostsError: nothing was detected, the address cannot be used, or the processes
            have different numbers of devices. If some do not join in time, the message
            is printed, and the process ends with code 1.
        HostsDisagreeError: processes were given another number of processes.
    """
    jax.config.update("jax_enable_preemption_service", polls_for_sigterm)
    given = coordinator is not None
    deadline = threading.Timer(
        initialization_timeout, _give_up, [coordinator, initialization_timeout]
    )
    deadline.daemon = True
    deadline.start()
    try:
        if given and process_id == 0:
            _wait_for_name(coordinator)
        jax.distributed.initialize(
            coordinator,
            num_processes,
            process_id,
            # JAX would look for the devices of one that it detects, too.
            cluster_detection_method="deactivate" if given else None,
            coordinator_bind_address=os.environ.get(
                "JAX_COORDINATOR_BIND_ADDRESS", coordinator
            ),
            initialization_timeout=initialization_timeout + _MARGIN,
            heartbeat_timeout_seconds=heartbeat_timeout,
            shutdown_timeout_seconds=shutdown_timeout,
        )
        # Waits too: for those that another --num_processes counts.
        devices = jax.devices()
    except (KeyError, RuntimeError, ValueError) as error:
        raise HostsError(_refusal(coordinator, process_id, error)) from error
    finally:
        deadline.cancel()
    counts = collections.Counter(device.process_index for device in devices)
    if len(set(counts.values())) > 1:
        parts = ", ".join(f"process {p}: {n}" for p, n in sorted(counts.items()))
        raise HostsError(f"all processes need the same number of devices, not {parts}")
    if given:
        check_agreement({"--num_processes": num_processes})


def _wait_for_name(coordinator):
    """Returns when DNS knows the coordinator: a pod's name appears after its start."""
    host = coordinator.rpartition(":")[0].strip("[]")
    while True:
        try:
            socket.getaddrinfo(host, None)
            return
        except socket.gaierror:
            time.sleep(0.5)


def _give_up(coordinator, seconds):
    state = distributed.global_state
    address = state.coordinator_address
    if address is None:  # it was not yet looked for
        message = f"no address was found for {coordinator or 'the coordinator'}"
    else:
        message = (
            f"process {state.process_id} of {state.num_processes}: "
            f"{state.num_processes} processes did not meet at {address}"
        )
        if state.process_id != 0 and not _answers(address):
            message += ", where nothing answers"
    say(
        f"error: {message} within {seconds} seconds (--initialization_timeout). Every "
        "process needs the same --coordinator and --num_processes, and a --process_id "
        "of its own, counted from 0; the coordinator's address is one of process 0, "
        "which the others reach"
    )
    os._exit(1)  # the main thread waits in C++


def _answers(address):
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=2).close()
    except OSError:
        return False
    return True


def _refusal(coordinator, process_id, error):
    if distributed.global_state.coordinator_address is None:
        return (
            "--distributed: JAX detects neither Slurm, a TPU pod, GKE nor Open MPI here "
            f"({error}). Give every process --coordinator, --num_processes and "
            "--process_id"
        )
    if process_id == 0:
        return (
            f"process 0 cannot listen on {coordinator}: {error}. It must be an address "
            "of this machine, and a free port"
        )
    return f"jax.distributed failed: {error}"


def signature() -> str:
    """`process 1 of 2: ` in front of what a process of several says; else nothing."""
    if not jax.distributed.is_initialized() or jax.process_count() == 1:
        return ""
    return f"process {jax.process_index()} of {jax.process_count()}: "


_leaving: list[threading.Timer] = []


def leave_soon(words: str = "") -> None:
    """Ends this process, which has failed, even if the others do not end with it.

    What it still closes may wait for them, and at its exit JAX does. Where they failed
    alike that is short; else they wait for this one too, in a sum over all hosts.

    Args:
        words: why it failed, printed if that is the end; without, they were said.
    """
    if not jax.distributed.is_initialized():
        return
    for former in _leaving:
        former.cancel()
    last = threading.Timer(_LAST_WORDS, _leave, [words])
    last.daemon = True
    last.start()
    _leaving[:] = [last]


@contextlib.contextmanager
def leaving_soon() -> Iterator[None]:
    """Context after whose error this process leaves soon (`leave_soon`)."""
    try:
        yield
    except Exception as error:
        # What is closed from here on may take all hosts, and they may not come.
        leave_soon(str(error))
        raise


def _leave(words):
    if words:
        say(f"error: {signature()}{words}")
    os._exit(1)

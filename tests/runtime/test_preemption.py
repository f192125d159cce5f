"""Real signals, to this process and to others."""

import os
import signal
import threading

import pytest

from jaxseg.runtime.preemption import StopSignal

STOPS = [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]


@pytest.mark.parametrize("number, code", STOPS)
def test_a_signal_requests_a_stop_and_the_handlers_come_back(number, code):
    before = {n: signal.getsignal(n) for n, _ in STOPS}
    with StopSignal() as stop:
        assert not stop.poll(1)
        assert stop.exit_code == 0
        os.kill(os.getpid(), number)
        assert stop.requested
        assert stop.poll(2)
        assert stop.exit_code == code
    assert {n: signal.getsignal(n) for n in before} == before


def test_what_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignal() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.requested
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_ctrl_c_is_taken_where_a_script_has_it_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with StopSignal() as stop:
            os.kill(os.getpid(), signal.SIGINT)
            assert stop.exit_code == 130
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_handlers_come_back_after_an_exception():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyError), StopSignal():
        raise KeyError
    assert signal.getsignal(signal.SIGTERM) == before


def test_in_another_thread_nothing_is_installed():
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def run():
        with StopSignal() as stop:
            seen.append((stop.poll(1), signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [(False, before)]


TWICE = """
import signal, sys, time
from jaxseg.runtime.preemption import StopSignal
with StopSignal() as stop:
    print("ready", flush=True)
    while not stop.requested:
        time.sleep(0.01)
    print("stopping", flush=True)
    time.sleep(60)  # a save that takes too long
"""

# Even one process: after `initialize`, SIGTERM is JAX's, and only polling sees it.
DISTRIBUTED = """
import socket, sys, time, jax
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    port = s.getsockname()[1]
address = f"127.0.0.1:{port}"
jax.distributed.initialize(address, 1, 0, coordinator_bind_address=address)
from jaxseg.runtime.preemption import StopSignal
with StopSignal() as stop:
    print("ready", flush=True)
    for step in range(2000):
        time.sleep(0.01)
        if stop.poll(step):
            print("stopping", flush=True)
            jax.distributed.shutdown()
            sys.exit(stop.exit_code)
"""


@pytest.mark.parametrize(
    "program, number, signals, code",
    [
        (TWICE, signal.SIGTERM, 2, 143),
        (DISTRIBUTED, signal.SIGTERM, 1, 143),
        (DISTRIBUTED, signal.SIGINT, 1, 130),
        (DISTRIBUTED, signal.SIGHUP, 1, 129),
    ],
)
def test_exit_code_of_a_process(spawn, program, number, signals, code):
    process = spawn(program)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert process.stdout.readline() == "stopping\n"
    if signals == 2:
        process.send_signal(number)
    assert process.wait(timeout=20) == code

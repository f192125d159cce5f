"""Preemption: SIGTERM, Ctrl-C, a closed terminal or its host's notice stop a run.

A run that is asked to stop finishes its step, saves, and exits with 128 + the number
of the signal, as a shell reports a process that the signal killed: 143 for SIGTERM
(also where a host of a multi-host run is preempted), 130 for Ctrl-C, 129 for SIGHUP. It
is not done; started again with the same command, it resumes. A second signal exits at
once, with the same code and without saving.
"""

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from jaxseg.runtime.output import say

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StopRequested(Exception):
    """A signal asked to stop while `StopSignal.run` was waiting."""


class StopSignal:
    """Context in which SIGTERM, SIGINT and SIGHUP set `requested` instead of killing.

        with StopSignal() as stop:
            for step in range(start, end):
                ...
                if stop.poll(step):
                    save(); sys.exit(stop.exit_code)

    After `jax.distributed.initialize` JAX takes SIGTERM for itself, and a process that
    never polls does not die of it; `poll` asks JAX, which tells all hosts to stop at
    one and the same step. The handlers of the other signals then send SIGTERM on to
    JAX. SIGHUP stays ignored where it was (nohup). Python runs handlers in the main
    thread only: entered in another one, nothing is installed.

    Attributes:
        requested: The run should stop. Between steps `poll` it; within a step (between
            two batches of an evaluation) one process may just read it.
        exit_code: 128 + the signal's number; 0 while none has come.
    """

    def __init__(self):
        self.requested = False
        self.exit_code = 0
        self._distributed = False
        self._sent_on = 0  # the code of a signal that JAX was told of as SIGTERM
        self._previous = {}

    def __enter__(self):
        self._distributed = jax.distributed.is_initialized()
        in_main_thread = threading.current_thread() is threading.main_thread()
        if in_main_thread:
            for number in _SIGNALS:
                if self._distributed and number == signal.SIGTERM:
                    continue
                # SIGINT is ignored too by what a script starts with `&`; kill -INT
                # stops it all the same.
                ignored = signal.getsignal(number) == signal.SIG_IGN
                if not (ignored and number == signal.SIGHUP):
                    self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *exception):
        for number, handler in self._previous.items():
            # None: the handler was installed by C code, which Python cannot restore.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._previous = {}

    def poll(self, step: int) -> bool:
        """Says whether to save and stop now, on every host alike.

        Args:
            step: The current step. In a multi-host run every process polls at every
                step, with rising numbers.
        """
        if (
            self._distributed
            and not self.requested
            and multihost_utils.reached_preemption_sync_point(step)
        ):
            self.requested = True
            self.exit_code = self._agreed_code()
        return self.requested

    def _agreed_code(self):
        """The code of the signal that any of the hosts got, the same on all of them."""
        codes = multihost_utils.process_allgather(np.array(self._sent_on)).ravel()
        return int(max(codes)) or 128 + signal.SIGTERM

    def run(self, function: Callable[..., Any], *args) -> Any:
        """Calls a function that may take long, without keeping a signal waiting.

        Python handles signals between two instructions of the main thread, and a
        compilation is one instruction. So the call goes to a thread of its own, and
        the main thread waits for it in short steps. Where no handler is installed, and
        among several hosts, which stop together, it is a plain call.

        Returns:
            What the function returns.

        Raises:
            StopRequested: a signal came first. The function is left to itself; end the
                process with `os._exit`.
        """
        if not self._previous or self._distributed:
            return function(*args)
        outcome = {}

        def call():
            try:
                outcome["value"] = function(*args)
            except BaseException as error:  # noqa: BLE001 - raised again by the caller
                outcome["error"] = error

        thread = threading.Thread(target=call, daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(0.1)
            if self.requested and thread.is_alive():
                raise StopRequested
        if "error" in outcome:
            raise outcome["error"]
        return outcome["value"]

    def _handle(self, number, frame):
        code = 128 + number
        # Of several hosts, another one's signal may have requested it.
        if self._sent_on or (self.requested and not self._distributed):
            os._exit(code)  # no `finally`, no waiting for threads: it was asked twice
        if self._distributed:
            self._sent_on = code
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            self.requested = True
            self.exit_code = code
        # Not through logging or print: the signal may have come inside of them.
        name = signal.Signals(number).name
        say(f"{name}: saving and stopping; again: exit at once")

"""Watchdog: ends a run that hangs: a worker that sleeps, a collective without peers."""

import contextlib
import faulthandler
import multiprocessing
import os
import threading
import time

from jaxseg.runtime.hosts import signature
from jaxseg.runtime.output import say

# As timeout(1) has it.
EXIT_CODE = 124


class Watchdog:
    """Context that ends the process when a wait takes longer than it may.

        with Watchdog() as watchdog:
            with watchdog.limit(1800, "no batch"):
                batch = next(batches)

    It prints what was waited for and where every thread is, kills the worker
    processes of the data, which would outlive this one, and exits with `EXIT_CODE`:
    a thread that hangs cannot be ended in another way.
    """

    def __init__(self):
        self._end = threading.Event()
        self._deadline = None
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @contextlib.contextmanager
    def limit(self, seconds: float, what: str):
        """Context that may take `seconds`; `what` is said to be wrong after that."""
        outer = self._deadline
        self._deadline = (time.monotonic() + seconds, seconds, what)
        try:
            yield
        finally:
            self._deadline = outer

    def renew(self) -> None:
        """Lets the time of the present limit begin anew: there was a sign of life."""
        deadline = self._deadline
        if deadline is not None:  # an evaluation that was given up may still report
            _, seconds, what = deadline
            self._deadline = (time.monotonic() + seconds, seconds, what)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._end.set()
        self._thread.join()

    def _watch(self):
        while not self._end.wait(0.2):
            deadline = self._deadline
            if deadline is not None and time.monotonic() > deadline[0]:
                _, seconds, what = deadline
                end_process(f"{what} for {seconds:g} s")


def end_process(message: str) -> None:
    """Prints a message and the stack of every thread, and ends this process."""
    say(f"error: {signature()}{message}. Where every thread is:")
    faulthandler.dump_traceback(file=2, all_threads=True)
    for child in multiprocessing.active_children():
        child.kill()
    os._exit(EXIT_CODE)

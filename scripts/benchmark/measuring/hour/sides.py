"""The other side as several processes: one of each variant of PyTorch.

Each has a memory of its own, so that its peak is that variant's alone, and one that
takes too long to compile can be left out.
"""

import concurrent.futures
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scripts.benchmark.measuring.against import AgainstError, OtherSide


class Sides:
    """Takes the place of an `OtherSide`; use it in a `with` statement.

    Attributes:
        left_out: why a variant takes no turns, by its name.
    """

    def __init__(
        self,
        command: Sequence[str],
        job: Mapping[str, Any],
        variants: Sequence[str],
        folder: pathlib.Path,
        check: Callable[[Mapping[str, Any]], None],
    ):
        """Starts the processes, and waits for none.

        Args:
            command: what to start.
            job: for all of them.
            variants: names of `torch_side/model.py`.
            folder: for what they print.
            check: gets the first answer of each, and raises `AgainstError` to leave
                it out.
        """
        self.left_out: dict[str, str] = {}
        self._command, self._job, self._folder = command, job, folder
        self._check = check
        self._running: dict[str, OtherSide] = {}
        # A thread each: its requests wait for one another, and for nobody else's.
        self._threads = {
            name: concurrent.futures.ThreadPoolExecutor(1) for name in variants
        }
        self._asked = {
            name: [thread.submit(self._start, name)]
            for name, thread in self._threads.items()
        }

    def _start(self, name):
        def started(side):
            self._running[name] = side

        log = self._folder / f"{name.replace(' ', '_')}.txt"
        job = {**self._job, "variants": [name]}
        self._check(OtherSide(self._command, job, log, started).hello)

    @property
    def hello(self) -> dict[str, Any]:
        """`variants` that take turns, and what the first of them says of itself."""
        names = [name for name in self._threads if name not in self.left_out]
        first = self._running[names[0]].hello if names else {}
        return {**first, "variants": names}

    @property
    def peak_memory(self) -> dict[str, int | None]:
        """Bytes at most of each variant's GPU."""
        names = self.hello["variants"]
        return {name: self._running[name].peak_memory for name in names}

    def compile(self, measures: Sequence[str]) -> None:
        """Lets variants that compile do so, while others do something else."""
        self._ask([name for name in self._threads if "compile" in name], measures)

    def wait(self, measures: Sequence[str], seconds: float) -> None:
        """Waits until each is built and has done a step; leaves out who is not ready.

        Args:
            measures: of which each does a step, but those that `compile` asked.
            seconds: how long to wait at most.
        """
        end = time.monotonic() + seconds
        self._ask([name for name in self._threads if "compile" not in name], measures)
        for name, asked in self._asked.items():
            try:
                for future in asked:
                    future.result(max(0.0, end - time.monotonic()))
            except TimeoutError:
                self._leave_out(name, f"it was not ready after {seconds:.0f} s")
            except AgainstError as error:
                self._leave_out(name, str(error))
            asked.clear()

    def _ask(self, names, measures):
        for name in names:
            for measure in measures:
                if name not in self.left_out:
                    future = self._threads[name].submit(self.turn, name, measure, 1)
                    self._asked[name].append(future)

    def _leave_out(self, name, why):
        if name not in self.left_out:
            self.left_out[name] = why
            if name in self._running:
                self._running[name].close()

    def turn(self, variant: str, measure: str, steps: int) -> float:
        """As of `OtherSide`."""
        return self._running[variant].turn(variant, measure, steps)

    def leave_out_all(self, why: str) -> None:
        """Ends all processes."""
        for name in self._threads:
            self._leave_out(name, why)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.leave_out_all("the part is done")
        for thread in self._threads.values():
            thread.shutdown(wait=False, cancel_futures=True)

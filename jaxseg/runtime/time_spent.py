"""Time spent: where the time of a run went, over all the times that it was started.

A clock is always in exactly one part, so the parts sum to the whole. What a start did
after the checkpoint from which the next one goes on is counted as lost by it.
"""

import contextlib
import json
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path

import jax

_log = logging.getLogger("jaxseg")

FILE_NAME = "time_spent.json"
LOST = "lost by restarts"
PARTS = (
    "start-up",
    "compile",
    "step",
    "waiting for data",
    "checkpoint",
    "evaluation",
    "other",
    LOST,
)

# Seconds between two writes of the file, and so the most that a kill hides from it.
_WRITE_SECONDS = 5.0


class TimeSpent:
    """Context that measures a start of a run, and ends with a table in the log.

        with TimeSpent(workdir) as spent:
            with spent.on("compile"):
                ...

    `time_spent.json` in the work directory holds the seconds of each part, summed over
    all starts. Process 0 writes it every five seconds, by a thread, for a compilation
    or an evaluation may be what a kill cuts short; and at the end. An error of the disk
    is logged and never raised.
    """

    def __init__(self, workdir: Path, clock: Callable[[], float] = time.monotonic):
        """Starts the clock, in `start-up`."""
        self._path = workdir / FILE_NAME
        self._clock = clock
        self._part = "start-up"
        self._since = clock()
        self._here = dict.fromkeys(PARTS, 0.0)
        self._before, self._saved, self._starts = _read(self._path)
        self._starts += 1
        self._is_closed = False
        self._failed = False
        self._lock = threading.RLock()  # of the seconds
        self._writing = threading.Lock()  # of the file, which may be on a slow disk
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._write_now_and_then, daemon=True)

    @contextlib.contextmanager
    def on(self, part: str):
        """Context whose time belongs to a part, but for what lies in an inner one."""
        outer = self.switch(part)
        try:
            yield
        finally:
            self.switch(outer)

    def switch(self, part: str) -> str:
        """Counts what comes for a part, until the next call; returns the part before.

        Raises:
            KeyError: there is no such part.
        """
        with self._lock:
            now = self._clock()
            self._here[self._part] += now - self._since
            self._since = now
            before, self._part = self._part, part
            self._here[part] += 0.0
            return before

    def resumed(self, step: int) -> None:
        """Counts as lost what earlier starts did after the checkpoint of a step.

        Args:
            step: where this start goes on; 0 where it begins anew.
        """
        kept = self._saved.get(str(step), {}) if step else {}
        with self._lock:
            for part in PARTS:
                if part != LOST:
                    lost = max(self._before[part] - kept.get(part, 0.0), 0.0)
                    self._before[part] -= lost
                    self._before[LOST] += lost
            # Of an older one, too: this one may turn out to be damaged later.
            older = {s: v for s, v in self._saved.items() if int(s) < step}
            self._saved = older | ({str(step): dict(self._before)} if step else {})

    def saved(self, step: int, kept: Collection[int]) -> None:
        """Notes that all the time until now is safe in a checkpoint.

        Args:
            step: the step of the checkpoint.
            kept: the steps that have one; of others nothing is remembered.
        """
        with self._lock:
            self.switch(self._part)
            self._saved[str(step)] = self.seconds()
            known = {str(s) for s in (step, *kept)}
            self._saved = {s: v for s, v in self._saved.items() if s in known}
        self.write()

    def seconds(self) -> dict[str, float]:
        """Seconds by part, over all starts."""
        return {part: self._before[part] + self._here[part] for part in PARTS}

    def write(self) -> None:
        """Writes the file."""
        if jax.process_index() != 0:
            return
        with self._writing:
            with self._lock:
                self.switch(self._part)
                seconds = self.seconds()
                body = {
                    "starts": self._starts,
                    "total": sum(seconds.values()),
                    "seconds": seconds,
                    "saved": self._saved,
                }
                text = json.dumps(body, indent=2)
            self._replace(text + "\n")

    def _replace(self, text):
        draft = self._path.with_suffix(".new")
        try:
            draft.write_text(text)
            os.replace(draft, self._path)
        except OSError as error:
            if not self._failed:
                _log.error("%s cannot be written; training goes on: %s", draft, error)
            self._failed = True

    def _write_now_and_then(self):
        while not self._end.wait(_WRITE_SECONDS):
            self.write()

    def table(self) -> str:
        """Seconds and shares by part, of this start and of all where there are more."""
        self.switch(self._part)
        columns = {"this start": self._here}
        if self._starts > 1:
            columns[f"all {self._starts} starts"] = self.seconds()
        lines = ["time spent".ljust(18) + "".join(f"{n:>20}" for n in columns)]
        for part in (*PARTS, "total"):
            cells = []
            for seconds in columns.values():
                total = sum(seconds.values())
                value = total if part == "total" else seconds[part]
                share = 100 * value / max(total, 1e-9)
                cells.append(f"{value:>11.1f} s {share:>5.1f} %")
            lines.append(f"  {part:<16}" + "".join(cells))
        return "\n".join(lines)

    def close(self) -> None:
        """Writes the file and logs the table; a second time does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        self._end.set()
        self.write()
        if jax.process_index() == 0:
            _log.info("%s", self.table())

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self.close()


def _read(path: Path) -> tuple[dict[str, float], dict[str, dict[str, float]], int]:
    """(seconds, seconds until each checkpoint, starts); zeros where nothing is known.

    A file that is none of ours is set aside by process 0.
    """
    nothing = dict.fromkeys(PARTS, 0.0), {}, 0
    try:
        body = json.loads(path.read_text())
        seconds = _seconds(body["seconds"])
        saved = {str(int(k)): _seconds(v) for k, v in body["saved"].items()}
        return seconds, saved, int(body["starts"])
    except FileNotFoundError:
        return nothing
    except OSError as error:
        _log.warning("%s cannot be read, counting anew: %s", path, error)
        return nothing
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        aside = path.with_name(path.name + ".damaged")
        _log.warning("%s: set aside as %s: %r", path, aside.name, error)
        with contextlib.suppress(OSError):
            if jax.process_index() == 0:
                os.replace(path, aside)
        return nothing


def _seconds(parts: dict[str, float]) -> dict[str, float]:
    """Checked seconds by part; in a checkpoint, parts that came later are missing."""
    seconds = {str(part): float(value) for part, value in parts.items()}
    unknown = seconds.keys() - set(PARTS)
    if unknown or not all(0 <= value < math.inf for value in seconds.values()):
        raise ValueError(f"no seconds by part: {parts}")
    return dict.fromkeys(PARTS, 0.0) | seconds

"""A time budget: parts in processes of their own, each with a share of the time."""

import contextlib
import json
import os
import pathlib
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

# Of a part's share, after which it is asked to end at its next safe point. At its
# whole share it is killed.
_ASKED = 0.85

# A process needs as much before its first row; a part with less is not started.
_FEWEST_SECONDS = 5.0

# Seconds from a process's last row to its end.
_GRACE = 10.0


def run_parts(
    shares: Mapping[str, float],
    seconds: float,
    command: Callable[[str, float], Sequence[str]],
    write: Callable[[dict[str, Any]], None],
    log: pathlib.Path,
    **popen: Any,
) -> None:
    """Runs parts one after the other; what one does not use, the next ones may.

    Args:
        shares: of the parts, in any unit.
        seconds: for all of them.
        command: from a part's name and the seconds by which it should end to what is
            started. It writes rows to its standard output, one JSON object a line; the
            last is `end` with its `status`.
        write: gets every row as it comes. That of `end` has also `seconds` and
            `budget`; its status may be `killed` or `failed` (`why` says more), or
            `not_run` where no time was left.
        log: what the parts print to the standard error is added to it.
        **popen: more for `subprocess.Popen`.
    """
    end = time.monotonic() + seconds
    left = dict(shares)
    for name in shares:
        budget = (end - time.monotonic()) * left[name] / sum(left.values())
        del left[name]
        if budget < _FEWEST_SECONDS:
            row = {"status": "not_run", "why": f"{max(0.0, budget):.0f} s were left"}
            write({"part": name, "row": "end", **row})
            continue
        start = time.monotonic()
        last = _run(name, command(name, _ASKED * budget), budget, write, log, popen)
        spent = {"seconds": time.monotonic() - start, "budget": budget}
        write({"part": name, "row": "end", **last, **spent})


def _run(name, command, budget, write, log, popen) -> dict[str, Any]:
    """Runs one part; how it ended."""
    end = time.monotonic() + budget
    last = None
    with open(log, "ab") as errors:
        at = errors.tell()
        process = subprocess.Popen(
            list(command),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # so that it ends with all that it started
            **popen,
        )
        try:
            with contextlib.closing(_rows(process, end)) as rows:
                for row in rows:
                    if row["row"] == "end":
                        last = {k: row[k] for k in ("status", "why") if k in row}
                    else:
                        write(row)
        except TimeoutError:
            why = f"it did not reach a safe point in its {budget:.0f} s"
            return {"status": "killed", "why": why}
    if last is None:
        printed = log.read_bytes()[at:].decode(errors="replace").splitlines()
        why = f"exit code {process.returncode}; {' | '.join(printed[-3:])}"
        return {"status": "failed", "why": why}
    return last


def _rows(process, end):
    """Rows of a process until it closes its output; ends it when nobody wants more.

    Raises:
        TimeoutError: at `end` of `time.monotonic`.
    """
    lines = queue.Queue()

    def read():
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    line = ""
    try:
        while True:
            try:
                line = lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise TimeoutError from None
            if line is None:
                return
            yield json.loads(line)
    finally:
        _end(process, _GRACE if line is None else 0.0)
        reader.join()
        process.stdout.close()


def _end(process, seconds):
    """Waits for a process some seconds, and kills what is left of its group."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        pass
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()

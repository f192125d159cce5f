"""Metrics file: numbers of a run in `metrics.jsonl` and in TensorBoard events.

`metrics.jsonl` holds one flat JSON object a line: `step`, `split` ('train' or 'val'),
then the values by name. A value that is not finite is null, for NaN is not JSON.
"""

import json
import logging
import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog

from jaxseg.runtime.json_lines import drop_after, is_step, read_records

_log = logging.getLogger("jaxseg")

FILE_NAME = "metrics.jsonl"
TENSORBOARD = "tensorboard"


class MetricWriter:
    """Writes metrics to a workdir; no failure of the disk reaches the training loop.

    The first error of each of the two outputs is logged; every later write is tried
    again. Process 0 of a multi-host run writes, the others' calls do nothing.
    """

    def __init__(self, workdir: str | Path, start_step: int = 0):
        """Opens the files of a run that continues after `start_step`.

        Lines of later steps are removed from `metrics.jsonl` (the run was killed after
        its last checkpoint, and will repeat these steps): each (split, step) occurs
        once. A line that is none of a run is set aside in `metrics.jsonl.damaged`.
        TensorBoard is told to hide the same steps.

        Args:
            workdir: Existing directory of the run.
            start_step: Number of updates done; 0 for a run from scratch, which keeps no
                line of an earlier one.
        """
        self._path = Path(workdir) / FILE_NAME
        self._failed = set()
        self._events = None
        self._active = jax.process_index() == 0
        if self._active:
            self._guard(FILE_NAME, drop_after, self._path, start_step, _is_record)
            self._guard(TENSORBOARD, self._open_events, start_step)

    def write(self, step: int, split: str, values: Mapping[str, float]) -> None:
        """Appends one line, and one scalar event `<split>/<name>` a finite value.

        Args:
            step: Number of updates done.
            split: 'train' or 'val'.
            values: Python, numpy or JAX scalars by name.
        """
        if not self._active:
            return
        values = {name: _number(value) for name, value in values.items()}
        line = {"step": int(step), "split": split}
        line |= {name: v if math.isfinite(v) else None for name, v in values.items()}
        self._guard(FILE_NAME, self._append, json.dumps(line))
        for name, value in values.items():
            if math.isfinite(value):
                self._write_event(step, summary.scalar(f"{split}/{name}", value))

    def close(self) -> None:
        """Closes the event file; `metrics.jsonl` is never open between two writes."""
        if self._events is not None:
            self._guard(TENSORBOARD, self._events.close)
            self._events = None

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def _guard(self, output: str, function: Callable, *args) -> None:
        try:
            function(*args)
        except OSError as error:
            if output not in self._failed:
                self._failed.add(output)
                _log.error(
                    "%s: %s cannot be written; training goes on: %s",
                    self._path.parent,
                    output,
                    error,
                )

    def _append(self, line: str) -> None:
        # After a failed write the last line may be a part of one, without its end.
        start = "\n" if FILE_NAME in self._failed else ""
        with open(self._path, "a") as file:
            file.write(f"{start}{line}\n")

    def _open_events(self, start_step: int) -> None:
        # Not tensorboardX.SummaryWriter: its thread dies of a full disk, and ten
        # events later the caller waits on its queue for ever.
        directory = self._path.parent / TENSORBOARD
        directory.mkdir(exist_ok=True)
        # The name holds seconds only; a file of that name would be overwritten.
        suffix = f".{os.getpid()}.{time.monotonic_ns()}"
        self._events = EventsWriter(str(directory / "events"), suffix)
        if start_step:
            session = SessionLog(status=SessionLog.START)
            self._events.write_event(
                Event(wall_time=time.time(), step=start_step + 1, session_log=session)
            )

    def _write_event(self, step: int, content) -> None:
        if self._events is None:
            return
        event = Event(wall_time=time.time(), step=int(step), summary=content)

        def write():
            self._events.write_event(event)
            self._events.flush()

        self._guard(TENSORBOARD, write)


def read_metrics(path: str | Path) -> list[dict]:
    """Returns the lines of a `metrics.jsonl`, without those that are damaged.

    A run killed while it writes leaves a part of its last line.
    """
    return read_records(Path(path), _is_record)[0]


def _is_record(line: Mapping[str, Any]) -> bool:
    values = (value for name, value in line.items() if name not in ("step", "split"))
    return (
        is_step(line.get("step"))
        and isinstance(line.get("split"), str)
        and all(value is None or _is_number(value) for value in values)
    )


def _is_number(value):
    # A longer integer is no float, and cannot be drawn.
    return isinstance(value, float) or (type(value) is int and abs(value) < 2**63)


def _number(value) -> int | float:
    value = np.asarray(value)
    return value.item() if value.dtype.kind in "iu" else float(value)

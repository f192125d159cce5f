"""What a part of the hour works with: its options, its time, and where its rows go."""

import json
import pathlib
import time
from collections.abc import Mapping
from typing import Any, TextIO


class Cut(Exception):
    """A part has used up its time; the message says what it leaves out."""


class Context:
    """What a part of the hour works with.

    Attributes:
        part: the part's name.
        out: the folder of the results.
        tiny: whether a small model and image take the place of the real ones.
        torch_python: the interpreter of the other side.
        camvid: the folder of CamVid.
        deadline: of `time.monotonic`, by which the part should end.
    """

    def __init__(self, job: Mapping[str, Any], rows: TextIO):
        """Takes a job over from `scripts/benchmark/gpu_hour.py`.

        Args:
            job: `part`, `seconds`, `out`, `tiny`, `torch_python` and `camvid`.
            rows: where rows are written.
        """
        self.job = dict(job)
        self.part = job["part"]
        self.out = pathlib.Path(job["out"])
        self.tiny = job["tiny"]
        self.torch_python = job["torch_python"]
        self.camvid = pathlib.Path(job["camvid"])
        self.deadline = time.monotonic() + job["seconds"]
        self._rows = rows

    def row(self, row: str, **values: Any) -> None:
        """Writes a row of the results, at once."""
        print(
            json.dumps({"part": self.part, "row": row, **values}),
            file=self._rows,
            flush=True,
        )

    def left(self) -> float:
        """Seconds that are left, below 0 past the deadline."""
        return self.deadline - time.monotonic()

    def go_on_with(self, what: str) -> None:
        """A safe point: ends the part here if its time is used up.

        Args:
            what: comes next.

        Raises:
            Cut: if no time is left.
        """
        if self.left() <= 0:
            raise Cut(f"no time was left for: {what}")

"""Output folder: files written whole or not at all, and a journal of what is done.

A task's line is added to the journal when all its files have their names. So a run that
ends early, however it ends, does again what has no line, and nothing else.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import tempfile
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.prepare.archive import check_name
from input_pipeline.prepare.converter import Task
from input_pipeline.prepare.disk import writing

JOURNAL = "prepare.jsonl"


class Output:
    """A folder that a data set is written to.

    Args:
        folder: made if it does not exist.
        facts: what makes the result another one: the data set's name and its options.

    Raises:
        DataError: the folder holds another data set, or other files.
    """

    def __init__(self, folder: str | os.PathLike, facts: Mapping[str, Any]):
        self.folder = pathlib.Path(folder)
        self._journal = self.folder / JOURNAL
        self._facts = json.dumps(facts, sort_keys=True)
        self._done: dict[str, dict[str, int]] = {}
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            if self._journal.exists():
                self._read_journal()
            elif any(self.folder.iterdir()):
                raise DataError(
                    f"{self.folder} is not empty, and nothing was prepared there; give "
                    "a folder of its own to --output."
                )
            else:
                self._journal.write_text(self._facts + "\n")

    def is_done(self, task: Task) -> bool:
        """Whether the task's files are there, as they were written."""
        files = self._done.get(task_key(task))
        return files is not None and all(
            _size(self.folder / name) == size for name, size in files.items()
        )

    def add(self, task: Task, files: dict[str, int]) -> None:
        """Notes that a task is done: {path below the folder: bytes}."""
        line = json.dumps({"task": task_key(task), "files": files})
        with writing(self._journal), open(self._journal, "a") as journal:
            journal.write(line + "\n")

    def _read_journal(self):
        facts, *lines = self._journal.read_text().split("\n")
        if facts != self._facts:
            raise DataError(
                f"{self.folder} holds what was prepared with {facts}; now it is "
                f"{self._facts}. Give another --output, or remove it."
            )
        for line in lines:
            # A line that was cut off by a kill is one that was not written.
            with contextlib.suppress(json.JSONDecodeError, KeyError, TypeError):
                entry = json.loads(line)
                self._done[entry["task"]] = entry["files"]
        if lines and lines[-1]:
            with open(self._journal, "a") as journal:
                journal.write("\n")


def task_key(task: Task) -> str:
    """What tells a task from all others: what it does, with which bytes."""
    inputs = [(m.path, m.size) for m in task.inputs]
    text = repr((task.make.__module__, task.make.__qualname__, inputs, task.arguments))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def do_task(folder: str | os.PathLike, task: Task) -> dict[str, int]:
    """Does a task and writes its files.

    Returns:
        {path below the folder: bytes}.

    Raises:
        DataError: sources that cannot be used, an output that leads out of the folder,
            or a disk that cannot be written.
    """
    written = {}
    for name, content in task.make(*task.inputs, *task.arguments):
        write_file(pathlib.Path(folder), name, content)
        written[name] = len(content)
    return written


def write_file(folder: pathlib.Path, name: str, content: bytes) -> None:
    """Writes a file below a folder under its name only once it is whole.

    Raises:
        DataError: a name that leads out of the folder, by '..' or by a link, or a disk
            that cannot be written.
    """
    check_name(str(folder), name)
    target = folder / name
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.parent.resolve().is_relative_to(folder.resolve()):
            raise DataError(f"{target}: a link leads out of {folder}; remove it.")
        descriptor, draft = tempfile.mkstemp(dir=target.parent, prefix=".draft-")
        try:
            with open(descriptor, "wb") as file:
                file.write(content)
            os.chmod(draft, 0o666 & ~_umask())
            os.replace(draft, target)
        except BaseException:
            os.unlink(draft)
            raise


def as_png(pixels: np.ndarray) -> bytes:
    """A PNG of (H, W) or (H, W, 3) RGB pixels, uint8 or uint16."""
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    is_written, data = cv2.imencode(".png", pixels)
    if not is_written:
        raise DataError(f"no PNG can be made of {pixels.shape} {pixels.dtype}.")
    return data.tobytes()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _size(path: pathlib.Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1

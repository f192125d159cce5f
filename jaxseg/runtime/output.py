"""Standard streams: what a run prints is never worth the run.

A full disk below a log file, a terminal that was closed or a reader such as `head` that
has gone makes every later write to stdout or stderr fail.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TextIO


class UnfailingStream:
    """A text stream whose writes raise no OSError; what cannot be written is lost.

    Attributes:
        error: the first error of a write, or None.
    """

    def __init__(self, stream: TextIO):
        self._stream = stream
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        """Writes where that is possible; says in any case that all was written."""
        with self._noting():
            self._stream.write(text)
        return len(text)

    def writelines(self, lines) -> None:
        """Writes lines, as `write` does."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flushes where that is possible."""
        with self._noting():
            self._stream.flush()

    @contextlib.contextmanager
    def _noting(self):
        try:
            yield
        except OSError as error:
            self.error = self.error or error

    def __getattr__(self, name):
        return getattr(self._stream, name)


@contextlib.contextmanager
def unfailing_output() -> Iterator[None]:
    """Context in which no write to stdout or stderr raises an OSError.

    At its end the other of the two streams is told which one could not be written.
    """
    _keep_numbers()
    before = sys.stdout, sys.stderr
    with open(os.devnull, "w") as null:  # Python has no stream for a closed descriptor
        streams = [UnfailingStream(null if s is None else s) for s in before]
        sys.stdout, sys.stderr = streams
        try:
            yield
        finally:
            _close(*streams)
            sys.stdout, sys.stderr = before


def _close(stdout, stderr):
    for name, stream, other in (("stdout", stdout, stderr), ("stderr", stderr, stdout)):
        stream.flush()
        if stream.error is None:
            continue
        if not isinstance(stream.error, BrokenPipeError):
            print(f"{name} could not be written: {stream.error}", file=other)
            other.flush()
        # What is left goes nowhere: Python's last flush would fail, with code 120.
        with contextlib.suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)


def say(text: str) -> None:
    """Writes a line to file descriptor 2; without locks, for signals and last words."""
    with contextlib.suppress(OSError):
        os.write(2, f"{text}\n".encode())


def _keep_numbers():
    """Opens what of descriptors 0 to 2 is closed: another file would get the number."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free

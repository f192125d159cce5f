"""Command lines: how every command logs, tells an error and ends.

Exit codes: what the command returns; 1 after an error; 2 for arguments that argparse
refuses; 130 after Ctrl-C.
"""

import contextlib
import functools
import logging
import sys
from collections.abc import Callable, Iterator

import jax
from absl import flags
from absl import logging as absl_logging

from input_pipeline.errors import DataError, WorkerError
from jaxseg.errors import JaxsegError
from jaxseg.runtime import hosts
from jaxseg.runtime.output import unfailing_output

_log = logging.getLogger("jaxseg")

# What a user can mend: their message is all that there is to see.
_USER_ERRORS = (JaxsegError, DataError, WorkerError, flags.Error)

_INTERRUPTED = 130


def command(main: Callable[..., int | None]) -> Callable[..., int]:
    """Decorator of a command line's function.

    jaxseg's messages go to stderr, from the libraries only warnings and errors. An
    error that a user can mend is one sentence, `error: ...`; any other shows its
    traceback. A write to stdout or stderr that fails ends nothing.

    Args:
        main: gets what it is called with; returns its exit code, None being 0.

    Returns:
        The function that returns the exit code.
    """

    @functools.wraps(main)
    def run(*args) -> int:
        with unfailing_output(), _logging():
            try:
                return main(*args) or 0
            except _USER_ERRORS as error:
                # Of the notes, ours says which sample; grain and JAX add their own.
                notes = [n for n in getattr(error, "__notes__", ()) if n[:3] == "in "]
                lines = [f"error: {hosts.signature()}{error}", *notes]
                print("\n".join(lines), file=sys.stderr, flush=True)
                hosts.leave_soon()
                return 1
            except KeyboardInterrupt:
                print("interrupted", file=sys.stderr, flush=True)
                return _INTERRUPTED
            except Exception:
                hosts.leave_soon()
                print(hosts.signature(), file=sys.stderr, end="", flush=True)
                raise

    return run


def sign_messages() -> None:
    """Has the messages of one of several processes say which one it is.

    Process 0 speaks for all; the others say what only they know.
    """
    if jax.process_index() != 0:
        _log.setLevel(logging.WARNING)
        signed = logging.Formatter(f"{hosts.signature()}%(levelname)s: %(message)s")
        for handler in (*_log.handlers, absl_logging.get_absl_handler()):
            handler.setFormatter(signed)


class _Formatter(logging.Formatter):
    """A message as it is; in front of a warning and an error, that it is one."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        is_news = record.levelno <= logging.INFO
        return text if is_news else f"{record.levelname}: {text}"


@contextlib.contextmanager
def _logging() -> Iterator[None]:
    before = _log.handlers[:], _log.level, _log.propagate
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter())
    _log.handlers[:] = [handler]
    _log.propagate = False
    _log.setLevel(logging.INFO)
    if not flags.FLAGS["verbosity"].present:
        absl_logging.set_verbosity(absl_logging.WARNING)
    try:
        yield
    finally:
        _log.handlers[:], level, _log.propagate = before
        _log.setLevel(level)

"""Watchdog of file systems: work on files is given up when it stands still.

A dead mount answers to no call, and nothing ends a thread that waits for it. So the
threads are daemons: the program can end without them.
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from input_pipeline.errors import DataError

# Far more than a slow disk needs for a file's header or the names of a folder.
STALL_SECONDS = 120.0

In = TypeVar("In")
Out = TypeVar("Out")


def watched_map(
    function: Callable[[In, Callable[[str], None]], Out],
    items: Sequence[In],
    num_threads: int = 1,
    limit: float = STALL_SECONDS,
) -> list[Out]:
    """Calls `function(item, touch)` for each item, in threads.

    Args:
        function: calls `touch(path)` before it touches a file.
        items: what it is called with.
        num_threads: items at a time.
        limit: seconds that may pass after a `touch` before the next, or the result.

    Returns:
        The results, in the order of the items.

    Raises:
        DataError: a file that gives no answer in time; or what `function` raises.
    """
    waiting, done = queue.SimpleQueue(), queue.SimpleQueue()
    for job in enumerate(items):
        waiting.put(job)
    touched: dict[int, tuple[str, float]] = {}  # of each thread that works
    over = threading.Event()

    def touch(path):
        touched[threading.get_ident()] = (path, time.monotonic())

    def work():
        while not over.is_set():
            try:
                place, item = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((place, function(item, touch), None))
            except BaseException as error:  # noqa: BLE001 - it is raised below
                done.put((place, None, error))
            touched.pop(threading.get_ident(), None)

    for _ in range(min(num_threads, len(items))):
        threading.Thread(target=work, daemon=True).start()
    results = [None] * len(items)
    try:
        for _ in items:
            place, result, error = _next(done, touched, limit)
            if error is not None:
                raise error
            results[place] = result
    finally:
        over.set()
    return results


def _next(done, touched, limit):
    """What comes next out of a queue, unless a thread stands still."""
    while True:
        try:
            return done.get(timeout=min(1.0, limit / 4))
        except queue.Empty:
            now = time.monotonic()
            stuck = [p for p, since in touched.copy().values() if now - since > limit]
            if stuck:
                others = f" (and {len(stuck) - 1} others)" if stuck[1:] else ""
                raise DataError(
                    f"{stuck[0]}{others}: no answer for {limit:g} s. Is its disk, or "
                    "what is mounted there, still connected?"
                ) from None

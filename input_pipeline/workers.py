"""Worker processes of the data: they end with their parent, and leave nothing behind.

A worker hands its arrays over in files of shared memory, which the parent removes. A
parent that is killed removes nothing: not the workers, who would wait for it for ever,
nor the files, where Python's own resource tracker is killed with it. So each worker
watches its parent; and the files bear a mark, by which the next start of any run tells
what nobody owns any more.

A mark is held by a lock of the kernel (flock) on a file of its own. The lock ends with
the process, however that ends, and holds also between containers that share the memory
but not their process numbers.
"""

import atexit
import fcntl
import functools
import math
import os
import pathlib
import secrets
from multiprocessing import shared_memory, synchronize

import cv2
import numpy as np
from grain.multiprocessing import SharedMemoryArray

from input_pipeline.parent import end_with_parent

# Where Linux keeps shared memory; elsewhere nothing is marked.
SHARED_MEMORY = pathlib.Path("/dev/shm")

_PREFIX = "jaxseg-"
_LOCK = ".lock"


def start_worker(mark: str | None, worker_index: int, worker_count: int) -> None:
    """What a worker process does before anything else.

    Args:
        mark: the mark of the parent, from `own_mark`.
        worker_index, worker_count: given by grain.
    """
    del worker_index, worker_count
    end_with_parent()
    if mark is not None:
        _mark_arrays(mark)
    # Keeps the workers from competing for cores with cv2's own threads.
    cv2.setNumThreads(1)


def _mark_arrays(mark: str) -> None:
    """Lets grain's arrays in shared memory have names that begin with the mark."""

    def new(cls, shape, dtype=float):
        size = math.prod(shape) * np.dtype(dtype).itemsize
        name = f"{mark}-{secrets.token_hex(8)}"
        memory = shared_memory.SharedMemory(name, create=True, size=size)
        return cls.from_shared_memory(memory, shape, dtype)

    SharedMemoryArray.__new__ = new


def own_mark() -> str | None:
    """The beginning of the names of this process's files in shared memory, from now on.

    None where there is no such folder.
    """
    if not SHARED_MEMORY.is_dir():
        return None
    mark = _held_mark()
    # The semaphores of queues and events are files there as well. joblib, which
    # scikit-learn imports, names them in the same way, so each time anew.
    synchronize.SemLock._make_name = staticmethod(
        lambda: f"/{mark}-{secrets.token_hex(8)}"
    )
    return mark


@functools.cache
def _held_mark() -> str:
    """A mark whose lock this process keeps to its end."""
    mark = f"{_PREFIX}{secrets.token_hex(6)}"
    lock = SHARED_MEMORY / f"{mark}{_LOCK}"
    draft = lock.with_suffix(".new")
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    # Only now has it the name by which others find it: they never see it unlocked
    # while this process, which keeps the descriptor to its end, is alive.
    draft.rename(lock)
    atexit.register(lock.unlink, missing_ok=True)
    atexit.register(_finish_removals)
    return mark


def _finish_removals() -> None:
    """Waits for grain's thread that removes arrays that are not used any more.

    It ends with the interpreter, and what it has not done yet Python's resource tracker
    would tell of as leaked.
    """
    pool = SharedMemoryArray._del_thread_pool
    if pool is not None:
        SharedMemoryArray._disable_async_del()
        pool.close()
        pool.join()


def remove_abandoned() -> list[str]:
    """Removes the files in shared memory that belonged to processes that are gone.

    Returns:
        The names of the files.
    """
    removed = []
    for lock in SHARED_MEMORY.glob(f"{_PREFIX}*{_LOCK}"):
        try:
            descriptor = os.open(lock, os.O_RDWR)
        except OSError:  # another user's, or gone in this moment
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue  # its owner is alive
        else:
            mark = lock.name.removesuffix(_LOCK)
            for file in (
                *SHARED_MEMORY.glob(f"{mark}-*"),
                *SHARED_MEMORY.glob(f"sem.{mark}-*"),
                lock,  # last: a clearing that is stopped is done again
            ):
                file.unlink(missing_ok=True)
                removed.append(file.name)
        finally:
            os.close(descriptor)
    return removed

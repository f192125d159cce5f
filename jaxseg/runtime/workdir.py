"""Work directory of one run: one job at a time, and the same one on every host."""

import contextlib
import errno
import fcntl
import logging
import os
import secrets
import socket
from pathlib import Path

import jax
import numpy as np
from jax.experimental import multihost_utils

from jaxseg.errors import JaxsegError

_log = logging.getLogger("jaxseg")

LOCK_FILE = ".lock"


class WorkdirError(JaxsegError):
    """The workdir is in use, cannot be written, or is not shared by the hosts."""


class WorkdirLock:
    """Holds a workdir for this job; two jobs would overwrite each other's checkpoints.

    The lock is the kernel's (flock) and ends with the process however that ends, so no
    stale one is left; the file says who holds it. Process 0 of a multi-host run locks.
    Unless the job says `keep`, the directory is left as it was found: without the file,
    empty folders, and itself where it was made for this job.
    """

    def __init__(self, workdir: str | Path):
        """Creates `workdir` where it is missing, and locks it.

        Raises:
            WorkdirError: Another process holds it, or it cannot be created or written.
        """
        self._descriptor = None
        self._is_kept = False
        self._workdir = Path(workdir)
        try:
            self._made = _make(self._workdir)
            if jax.process_index() != 0:
                return
            self._before = set(os.listdir(self._workdir))
            self._descriptor = _locked(self._workdir)
        except OSError as error:
            raise WorkdirError(
                f"{workdir}: cannot be written ({error.strerror}: {error.filename}); "
                "give --workdir a directory that can be"
            ) from error
        owner = f"host {socket.gethostname()}, pid {os.getpid()}"
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, owner.encode())

    def keep(self) -> None:
        """Says that the directory is a run's from now on."""
        self._is_kept = True

    def release(self) -> None:
        """Lets the next job in."""
        if self._descriptor is None:
            return
        if not self._is_kept:
            self._leave_as_found()
        os.close(self._descriptor)
        self._descriptor = None

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.release()

    def _leave_as_found(self):
        with contextlib.suppress(OSError):
            new = set(os.listdir(self._workdir)) - self._before
            if LOCK_FILE in new:
                os.unlink(self._workdir / LOCK_FILE)
            for name in new - {LOCK_FILE}:
                with contextlib.suppress(OSError):  # it is not empty
                    (self._workdir / name).rmdir()
            for folder in self._made:
                folder.rmdir()


def _make(folder: Path) -> list[Path]:
    """Makes a directory; returns those that were made for it, the innermost first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _locked(workdir: Path) -> int:
    """The descriptor of the lock file, which this process holds."""
    path = workdir / LOCK_FILE
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(descriptor, workdir)
            # A job that was refused may have removed the file that was just locked.
            if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor: int, workdir: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.read(descriptor, 1000).decode() or "unknown"
        raise WorkdirError(
            f"{workdir}: in use by another job ({owner}). Stop that one, or give "
            "--workdir another directory"
        ) from None
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            raise
        _log.warning(
            "%s: this file system has no locks; a second job in the same workdir "
            "would not be noticed",
            workdir,
        )


def check_shared(workdir: str | Path) -> None:
    """Raises WorkdirError where a host of this run does not see process 0's workdir.

    Without this, the first save hangs for ten minutes on the hosts that do not.
    """
    if jax.process_count() == 1:
        return
    number = multihost_utils.broadcast_one_to_all(np.uint32(secrets.randbits(32)))
    token = Path(workdir) / f".shared-{int(number):08x}"
    if jax.process_index() == 0:
        token.touch()
    multihost_utils.sync_global_devices("jaxseg:shared_workdir_token")
    seen = multihost_utils.process_allgather(np.array(token.exists()))
    if jax.process_index() == 0:
        token.unlink()
    if not seen.all():
        blind = ", ".join(map(str, np.flatnonzero(~seen)))
        raise WorkdirError(
            f"{workdir}: not the same directory on every host; processes {blind} do not "
            "see what process 0 wrote. It must be on a shared file system"
        )

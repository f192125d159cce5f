"""The directory of one run: one job at a time, and the same one on every host."""

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
    """

    def __init__(self, workdir: str | Path):
        """Creates `workdir` where it is missing, and locks it.

        Raises:
          WorkdirError: Another process holds it, or it cannot be created or written.
        """
        self._descriptor = None
        workdir = Path(workdir)
        try:
            workdir.mkdir(parents=True, exist_ok=True)
            if jax.process_index() != 0:
                return
            descriptor = os.open(workdir / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise WorkdirError(
                f"{workdir}: cannot be written ({error.strerror}: {error.filename}); "
                "give --workdir a directory that can be"
            ) from error
        try:
            _lock(descriptor, workdir)
        except BaseException:
            os.close(descriptor)
            raise
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"host {socket.gethostname()}, pid {os.getpid()}".encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Lets the next job in. The file stays: removing it could race with that job."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.release()


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

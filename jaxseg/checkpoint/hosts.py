"""Hosts of one run: they go on from the same checkpoint, and save the same state."""

from collections.abc import Callable, Mapping
from pathlib import Path

import jax
import numpy as np
from jax.experimental import multihost_utils

from jaxseg.checkpoint.errors import DamagedCheckpointError, HostsDriftedError


def on_all_hosts(read: Callable, path: Path, *args):
    """What `read` returns; if it finds damage on one host, it is raised on all.

    Hosts that went on from different checkpoints would not notice, and one that goes
    on alone waits for the others: in orbax, and in the checksums of split arrays.
    """
    value = error = None
    try:
        value = read(path, *args)
    except DamagedCheckpointError as damage:
        error = damage
    failed = multihost_utils.process_allgather(np.array(error is not None)).ravel()
    if error is None and failed.any():
        hosts = ", ".join(map(str, np.flatnonzero(failed)))
        error = DamagedCheckpointError(f"{path}: processes {hosts} cannot read it")
    if error is not None:
        raise error
    return value


def check_hosts_agree(step: int, arrays: Mapping[str, Mapping]) -> None:
    """Compares over the hosts the checksums that each computed of its own copies."""
    if jax.process_count() == 1:
        return
    mine = np.array([entry["checksum"] for entry in arrays.values()], np.uint32)
    sums = multihost_utils.process_allgather(mine)
    differs = sums != sums[0]
    if differs.any():
        hosts = ", ".join(map(str, np.flatnonzero(differs.any(1))))
        names = [n for n, bad in zip(arrays, differs.any(0), strict=True) if bad]
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        raise HostsDriftedError(
            f"step {step}: the hosts no longer hold the same state: processes {hosts} "
            f"differ from process 0 in {', '.join(names[:5])}{more}. Nothing was "
            "saved; start again to go on from the checkpoint before"
        )

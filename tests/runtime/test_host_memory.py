"""Memory that a process keeps."""

import os
import platform
import subprocess
import sys

import pytest

# A thread fills the same 80 MB several times, in pages of the usual size where the system
# would take larger ones (PR_SET_THP_DISABLE).
FILL = """
import ctypes, resource, threading
import numpy as np
ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)
{first}
def fill():
    for _ in range(5):
        np.empty(10 << 20).fill(1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
thread = threading.Thread(target=fill)
thread.start()
thread.join()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(first=""):
    """Pages that the system gave to `FILL` after a first line."""
    done = subprocess.run(
        [sys.executable, "-c", FILL.format(first=first)],
        env={**os.environ, "GLIBC_TUNABLES": "", "NUMPY_MADVISE_HUGEPAGE": "0"},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc's")
def test_freed_memory_is_used_again():
    keep = (
        "from jaxseg.runtime.host_memory import keep_freed_memory; keep_freed_memory()"
    )
    pages = (80 << 20) // os.sysconf("SC_PAGE_SIZE")
    assert faults() > 4.9 * pages
    assert faults(keep) < 1.1 * pages

"""One job in a workdir at a time."""

import os
import socket

import pytest

from jaxseg.runtime.workdir import WorkdirError, WorkdirLock, check_shared

HOLD = """
import sys, time
from jaxseg.runtime.workdir import WorkdirLock
with WorkdirLock(sys.argv[1]):
    print("locked", flush=True)
    time.sleep(60)
"""


def test_a_second_job_is_refused_until_the_first_one_is_gone(tmp_path, spawn):
    workdir = tmp_path / "new/workdir"
    process = spawn(HOLD, workdir)
    assert process.stdout.readline() == "locked\n"
    owner = f"host {socket.gethostname()}, pid {process.pid}"
    with pytest.raises(WorkdirError, match=rf"in use by another job \({owner}\)"):
        WorkdirLock(workdir)
    process.kill()
    process.wait()
    with WorkdirLock(workdir):
        assert f"pid {os.getpid()}" in (workdir / ".lock").read_text()


def test_released_it_is_free_again(tmp_path):
    with WorkdirLock(tmp_path), pytest.raises(WorkdirError):
        WorkdirLock(tmp_path)
    WorkdirLock(tmp_path).release()


def test_a_workdir_under_a_file_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkdirError, match="cannot be written .*Not a directory"):
        WorkdirLock(tmp_path / "file/workdir")


def test_one_process_shares_with_itself(tmp_path):
    check_shared(tmp_path)
    assert list(tmp_path.iterdir()) == []

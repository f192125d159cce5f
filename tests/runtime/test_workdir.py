"""One job in a workdir at a time."""

import os
import socket

import pytest

from jaxseg.runtime import workdir as workdir_module
from jaxseg.runtime.workdir import WorkdirError, WorkdirLock, check_shared

HOLD = """
import sys, time
from jaxseg.runtime import workdir as workdir_module
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


def test_a_directory_that_nobody_kept_is_left_as_it_was_found(tmp_path):
    workdir = tmp_path / "new" / "workdir"
    with WorkdirLock(workdir):
        (workdir / "checkpoints").mkdir()
    assert list(tmp_path.iterdir()) == []
    workdir.mkdir(parents=True)
    (workdir / "mine").mkdir()
    with WorkdirLock(workdir):
        (workdir / "log.txt").write_text("not empty, so it stays")
    names = sorted(path.name for path in workdir.iterdir())
    assert names == ["log.txt", "mine"]
    with WorkdirLock(workdir) as lock:
        lock.keep()
    assert (workdir / ".lock").exists()


def test_a_lock_whose_file_was_removed_meanwhile_is_taken_again(tmp_path, monkeypatch):
    flock = workdir_module._lock

    def remove_first(descriptor, workdir):
        monkeypatch.setattr(workdir_module, "_lock", flock)
        flock(descriptor, workdir)
        (workdir / ".lock").unlink()  # as a refused job does at its end

    monkeypatch.setattr(workdir_module, "_lock", remove_first)
    with WorkdirLock(tmp_path), pytest.raises(WorkdirError):
        WorkdirLock(tmp_path)


def test_a_workdir_under_a_file_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkdirError, match="cannot be written .*Not a directory"):
        WorkdirLock(tmp_path / "file/workdir")


def test_one_process_shares_with_itself(tmp_path):
    check_shared(tmp_path)
    assert list(tmp_path.iterdir()) == []

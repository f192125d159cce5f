"""Worker processes end with their parent, and the next start clears what it left."""

import fcntl
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from grain.multiprocessing import SharedMemoryArray

from input_pipeline import workers

PROGRAM = """
import multiprocessing, time
from input_pipeline.datasets import DigitsDataset
from input_pipeline.loader import train_batches
from input_pipeline.workers import own_mark

if __name__ == "__main__":
    data = DigitsDataset(num_scenes=10, size=(64, 64))
    batches = train_batches(data, 2, 0, num_workers=2)
    for _ in range(3):
        next(batches)
    pids = [child.pid for child in multiprocessing.active_children()]
    print(own_mark(), *pids, flush=True)
    time.sleep(600)
"""


def files_of(mark):
    return [file.name for file in workers.SHARED_MEMORY.glob(f"*{mark}*")]


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def is_alive(pid):
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def start():
    """A process with two workers, in a process group of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    with process.stdout as output:
        mark, *pids = output.readline().split()
    return process, mark, [int(pid) for pid in pids]


def test_what_a_living_process_owns_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "SHARED_MEMORY", tmp_path)
    names = ("jaxseg-a.lock", "jaxseg-a-1", "sem.jaxseg-a-2", "jaxseg-b-1", "psm_c")
    for name in names:
        (tmp_path / name).touch()
    with open(tmp_path / "jaxseg-a.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert workers.remove_abandoned() == []
        assert {file.name for file in tmp_path.iterdir()} == set(names)
    assert set(workers.remove_abandoned()) == set(names[:3])
    assert {file.name for file in tmp_path.iterdir()} == {"jaxseg-b-1", "psm_c"}


@pytest.mark.faults
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT])
def test_workers_end_with_a_parent_that_is_killed(number):
    process, mark, pids = start()
    assert len(pids) == 2 and all(map(is_alive, pids))
    assert len(files_of(mark)) > 20
    os.kill(process.pid, number)
    assert process.wait() == -number
    wait_until(lambda: not any(map(is_alive, pids)))
    # Python's resource tracker removes the rest; the next start, the lock.
    wait_until(lambda: files_of(mark) == [f"{mark}.lock"])
    assert f"{mark}.lock" in workers.remove_abandoned()
    assert files_of(mark) == []


@pytest.mark.faults
def test_the_next_start_removes_what_a_killed_process_group_left():
    killed, mark, pids = start()
    living, other, _ = start()
    try:
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()
        wait_until(lambda: not any(map(is_alive, pids)))
        assert len(files_of(mark)) > 20, "nobody was left to remove them"
        assert set(workers.remove_abandoned()) > {f"{mark}.lock"}
        assert files_of(mark) == []
        assert len(files_of(other)) > 20
    finally:
        os.killpg(living.pid, signal.SIGKILL)
        living.wait()


def test_arrays_are_removed_before_the_process_ends():
    SharedMemoryArray.enable_async_del()
    # What grain's thread has to do before.
    SharedMemoryArray._del_thread_pool.apply_async(time.sleep, (0.3,))
    array = SharedMemoryArray((1000,))
    array.unlink_on_del()
    file = workers.SHARED_MEMORY / array.metadata.name
    assert file.exists()
    del array
    workers._finish_removals()
    assert not file.exists()

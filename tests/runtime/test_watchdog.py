"""A wait that takes too long, in a process of its own."""

import pathlib
import time

PROGRAM = """
import multiprocessing, time
from jaxseg.runtime.watchdog import Watchdog

worker = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
worker.start()
print(worker.pid, flush=True)
with Watchdog() as watchdog:
    with watchdog.limit(0.1, "nothing"):
        pass
    time.sleep(0.5)  # outside of a limit anything may take long
    with watchdog.limit(1.5, "no life"):
        for _ in range(4):
            time.sleep(0.6)
            watchdog.renew()
    print("still here", flush=True)
    with watchdog.limit(0.3, "no data"):
        time.sleep(60)
"""


def is_alive(pid):
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_it_ends_the_process_and_its_workers(spawn):
    process = spawn(PROGRAM)
    worker = int(process.stdout.readline())
    assert process.stdout.readline() == "still here\n"
    assert process.wait(timeout=30) == 124
    deadline = time.monotonic() + 5
    while is_alive(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(worker)

"""Other processes of a test: they never outlive it."""

import subprocess
import sys
import threading

import pytest


@pytest.fixture
def spawn():
    """Starts `python -c program arguments...`, its stdout a text pipe.

    Whatever still runs at the test's end, or after a minute, is killed; a test that
    waits for a line then reads an empty one, and fails.
    """
    processes = []

    def start(program, *arguments, **options):
        process = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            stdout=subprocess.PIPE,
            text=True,
            **options,
        )
        deadline = threading.Timer(60, process.kill)
        deadline.start()
        processes.append((process, deadline))
        return process

    yield start
    for process, deadline in processes:
        deadline.cancel()
        process.kill()
        process.wait()
        process.stdout.close()

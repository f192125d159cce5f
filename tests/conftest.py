"""Every test sees eight CPU devices, and absl flags that count as parsed."""

import gc
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

from tests.xla_flags import xla_flags

os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {xla_flags(8)}"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np
import pytest
from absl import flags
from PIL import Image

# JAX keeps the programs that it traced, and each is thousands of objects: with Python's
# own thresholds the search for cycles among them takes an eighth of the tests' time.
gc.set_threshold(50_000, 10, 5)

# grain's worker processes refuse to start from a program that never parsed them.
flags.FLAGS.mark_as_parsed()

ROOT = pathlib.Path(__file__).parents[1]
TINY_COLORS = ((40, 40, 40), (220, 30, 30), (30, 200, 30), (30, 30, 220))


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory):
    """The data set of `tiny.py`: squares of one colour a class on 64x64 images."""
    folder = tmp_path_factory.mktemp("tiny_data")
    rng = np.random.default_rng(0)
    for split, count in (("train", 12), ("val", 4)):
        for kind in ("images", "labels"):
            (folder / kind / split).mkdir(parents=True)
        for i in range(count):
            label = np.zeros((64, 64), np.uint8)
            for _ in range(5):
                y, x = rng.integers(0, 48, 2)
                label[y : y + 16, x : x + 16] = rng.integers(1, 4)
            noise = rng.integers(0, 25, (64, 64, 3), np.uint8)
            image = np.asarray(TINY_COLORS, np.uint8)[label] + noise
            Image.fromarray(image).save(folder / "images" / split / f"{i:02d}.png")
            Image.fromarray(label).save(folder / "labels" / split / f"{i:02d}.png")
    return folder


class Command:
    """A started `python -W error -m jaxseg.main`; what it prints goes to one file."""

    def __init__(self, log, arguments, environment, deadline):
        self.log = log
        with open(log, "w") as file:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-W",
                    "error",
                    "-m",
                    "jaxseg.main",
                    *map(str, arguments),
                ],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        # Whatever a test does: the process does not outlive it by long.
        self._timer = threading.Timer(deadline, self.process.kill)
        self._timer.daemon = True
        self._timer.start()

    def output(self):
        return self.log.read_text(errors="replace")

    def wait_for(self, condition):
        """Waits until the output holds a text, or until a function says so."""
        if isinstance(condition, str):
            text, condition = condition, lambda: text in self.output()
        while not condition():
            assert self.process.poll() is None, self.output()[-4000:]
            time.sleep(0.002)

    def send(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        return time.monotonic()

    def finish(self, code=0):
        """Waits for the end, and returns the output; `code` is what it ends with."""
        found = self.process.wait()
        self._timer.cancel()
        assert found == code, f"exit code {found}:\n{self.output()[-4000:]}"
        return self.output()


@pytest.fixture(scope="session")
def command(tmp_path_factory):
    """Starts the command line as a user would, on one CPU device.

    The processes share a home, and so the programs that the first of them compiled.
    """
    folder = tmp_path_factory.mktemp("commands")
    environment = {
        **os.environ,
        "HOME": str(folder),
        "XLA_FLAGS": xla_flags(),
        "PYTHONUNBUFFERED": "1",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    started = []

    def start(*arguments, deadline=300, **variables):
        log = folder / f"{len(started):03d}.txt"
        environment_here = {**environment, **variables}
        started.append(Command(log, arguments, environment_here, deadline))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()


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

"""One whole run that nothing disturbed, to which the disturbed ones are compared."""

import hashlib
import json
import shutil

import jax
import numpy as np
import pytest

from jaxseg.checkpoint.reader import load_weights
from jaxseg.runtime.metrics_file import read_metrics

# Not a function of the run, but of the machine.
TIMES = ("images_per_second", "data_wait")


@pytest.fixture(scope="session")
def tiny(tiny_data):
    """The arguments of the run."""
    return ("--config", f"tests/tiny.py:{tiny_data}")


@pytest.fixture(scope="session")
def undisturbed(command, tiny, tmp_path_factory):
    """The work directory of the run; tests copy what they change."""
    workdir = tmp_path_factory.mktemp("undisturbed") / "run"
    command(*tiny, "--workdir", workdir).finish()
    return workdir


@pytest.fixture
def copy(undisturbed, tmp_path):
    """A copy of the run that a test may change."""
    return shutil.copytree(undisturbed, tmp_path / "copy")


def result_of(workdir):
    """SHA-256 of all arrays of the last checkpoint, and all lines of the log."""
    saved = load_weights(
        workdir, collections=("params", "batch_stats", "ema", "opt_state", "rng")
    )
    arrays = {
        jax.tree_util.keystr(path): np.asarray(leaf)
        for path, leaf in jax.tree_util.tree_flatten_with_path(
            {k: v for k, v in saved.items() if k not in ("config", "path", "step")}
        )[0]
    }
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
    lines = [
        json.dumps({k: v for k, v in line.items() if k not in TIMES})
        for line in read_metrics(workdir / "metrics.jsonl")
    ]
    return saved["step"], digest.hexdigest(), lines


@pytest.fixture(scope="session")
def assert_same_result(undisturbed):
    """Asserts that a run ended with the same bits and the same log."""
    expected = result_of(undisturbed)
    assert expected[0] == 60
    assert len(expected[2]) == 60 + 2  # a line every step, and two evaluations

    def check(workdir):
        step, digest, lines = result_of(workdir)
        assert lines == expected[2]
        assert (step, digest) == expected[:2]

    return check


@pytest.fixture(scope="session")
def slow_images(tmp_path_factory):
    """(split, seconds) -> arguments and environment of a run with slow images.

    The first `quick` of a process are not; with FAIL_AFTER in the environment, later
    ones fail. It prints "waiting for FILE" when it loads one: the moment for a signal.
    """
    folder = tmp_path_factory.mktemp("slow_images")
    (folder / "slow_images.py").write_text(
        """
import dataclasses, itertools, os, time
from input_pipeline.transforms import LoadImageFromFile
from input_pipeline.errors import DataError
from jaxseg.registry import register

calls = itertools.count()

@register
@dataclasses.dataclass(frozen=True)
class SlowImage(LoadImageFromFile):
    seconds: float = 0.0
    quick: int = 0

    def __call__(self, results, rng):
        call = next(calls)
        if call >= int(os.environ.get("FAIL_AFTER", 10**9)):
            raise DataError("planned failure")
        if call < self.quick or not self.seconds:
            return super().__call__(results, rng)
        print("waiting for", results["img_path"], flush=True)
        time.sleep(self.seconds)
        return super().__call__(results, rng)
"""
    )

    def settings(split, seconds, quick=0):
        # A run looks at one validation image before it trains.
        quick = 1 if split == "val" else quick
        load = {"type": "SlowImage", "seconds": seconds, "quick": quick}
        arguments = (
            "--config.custom_imports={'imports': ['slow_images']}",
            f"--config.{split}_dataloader.dataset.pipeline.0={load}",
        )
        return arguments, {"PYTHONPATH": str(folder)}

    return settings

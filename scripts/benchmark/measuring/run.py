"""All that is measured of one config, as a dict that JSON takes."""

import contextlib
import pathlib
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from scripts.benchmark.measuring.against import OtherSide, check_same_model, make_job
from scripts.benchmark.measuring.device import describe_devices, peak_memory
from scripts.benchmark.measuring.parts import (
    measure_inference,
    measure_input,
    measure_loop,
    measure_train,
)
from scripts.benchmark.measuring.setup import Setup
from scripts.benchmark.measuring.timing import Stopwatch
from scripts.benchmark.measuring.workload import Workload

PARTS = {
    "train": measure_train,
    "inference": measure_inference,
    "input": measure_input,
    "loop": measure_loop,
}


def run_benchmark(
    config: Mapping[str, Any],
    setup: Setup,
    *,
    parts: Sequence[str] = tuple(PARTS),
    steps: int = 5,
    repeats: int = 5,
    against: Sequence[str] | None = None,
    mmseg_config: str | None = None,
) -> dict[str, Any]:
    """Measures a config.

    Args:
        config: a whole one, from `load_config`.
        setup: what of it is changed.
        parts: what is measured, some of `PARTS`.
        steps: of a repeat.
        repeats: of which the median and the spread are told; with `against` the rounds
            in which everyone has a turn.
        against: the command of the other side, or None.
        mmseg_config: the file that the other side builds its model from; without one
            it takes `config`'s, whose vocabulary is mmseg's.

    Returns:
        `device`, `setup`, every part by its name, `peak_memory`, and `against`: what
        the other side says of itself, and `measures` (`Stopwatch.comparison`). Times
        in seconds, memory in bytes.

    Raises:
        ConfigError, DataError: if the config cannot be used.
        AgainstError: if the comparison cannot be made.
    """
    with contextlib.ExitStack() as stack:
        name = tempfile.TemporaryDirectory(prefix="jaxseg_benchmark_")
        folder = pathlib.Path(stack.enter_context(name))
        workload = Workload(config, setup, folder)
        result = {"device": describe_devices(), "setup": describe_workload(workload)}
        other = None
        if against is not None:
            job = make_job(workload, folder, mmseg_config)
            log = folder / "other_side.txt"
            other = stack.enter_context(OtherSide(against, job, log))
            check_same_model(workload, other.hello)
        stopwatch = Stopwatch(steps, repeats, other)
        for part in parts:
            result[part] = PARTS[part](workload, stopwatch)
        result["peak_memory"] = peak_memory()
        if other is not None:
            rounds = {"steps": steps, "rounds": repeats}
            measures = {"measures": stopwatch.comparison}
            result["against"] = other.hello | rounds | measures
        return result


def describe_workload(workload: Workload) -> dict[str, Any]:
    """What is measured: where the images are from, the type, the shapes."""
    model = workload.run.train_model
    return {
        "data": workload.data,
        "dtype": str(model.dtype),
        "train_shape": list(workload.train_batch["img"].shape),
        "test_shape": list(workload.images.shape),
        "result_size": list(workload.result_size),
    }

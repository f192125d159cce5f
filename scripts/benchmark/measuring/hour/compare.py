"""A model of ours against mmseg's on one device: step, inference, memory, MFU."""

import functools
import pathlib
import tempfile
from typing import Any

import jax

from scripts.benchmark.measuring.against import (
    AgainstError,
    check_same_model,
    make_job,
)
from scripts.benchmark.measuring.device import (
    describe_devices,
    peak_flops,
    peak_memory,
)
from scripts.benchmark.measuring.hour.cases import Case
from scripts.benchmark.measuring.hour.context import Context
from scripts.benchmark.measuring.hour.sides import Sides
from scripts.benchmark.measuring.parts import measure_inference, measure_train
from scripts.benchmark.measuring.program import Compilations
from scripts.benchmark.measuring.run import describe_workload
from scripts.benchmark.measuring.timing import Stopwatch
from scripts.benchmark.measuring.workload import Workload

_OTHER_SIDE = pathlib.Path(__file__).parents[2] / "torch_side" / "model.py"

# mmseg's AmpOptimWrapper refuses a CPU.
_VARIANTS = {
    "cpu": ("contiguous", "channels_last", "channels_last compile"),
    "gpu": ("bf16", "bf16 channels_last", "bf16 channels_last compile"),
}

_STEPS, _ROUNDS = 3, 5

# Of the time that is left, how much the other side may take to be ready.
_PATIENCE = 0.6


def compare(case: Case, context: Context) -> None:
    """Writes the rows `setup`, `train`, `network`, `label_maps` and `left_out`.

    Raises:
        Cut: if the time is used up between two of them.
    """
    with tempfile.TemporaryDirectory(prefix="jaxseg_hour_") as name:
        folder = pathlib.Path(name)
        tiny = context.tiny
        workload = Workload(case.load(tiny), case.setup(tiny), folder)
        context.row("setup", **describe_devices(), **describe_workload(workload))
        platform = "cpu" if jax.devices()[0].platform == "cpu" else "gpu"
        with Sides(
            [context.torch_python, str(_OTHER_SIDE)],
            make_job(workload, folder),
            _VARIANTS[platform],
            folder,
            functools.partial(check_same_model, workload),
        ) as sides:
            _measure(workload, sides, context)


def _measure(workload, sides, context):
    steps, rounds = (1, 2) if context.tiny else (_STEPS, _ROUNDS)
    stopwatch = Stopwatch(steps, rounds, sides, context.deadline)
    # They compile while we do; who does not runs nothing on the device meanwhile.
    sides.compile(["train"])
    with Compilations() as compilations:
        _ = workload.training
    said = _wait(sides, ["train"], context, {})
    train = _timed(measure_train, workload, stopwatch, sides, context)
    memory = {"ours": peak_memory()["device"], **sides.peak_memory}
    train |= compilations.summary()
    context.row("train", **train, **_comparison("train", train, stopwatch, memory))
    context.go_on_with("inference")
    measures = ["network", "label_maps"]
    sides.compile(measures)
    with Compilations() as compilations:
        _ = workload.network
    _wait(sides, measures, context, said)
    inference = _timed(measure_inference, workload, stopwatch, sides, context)
    inference["network"] |= compilations.summary()
    for measure, found in inference.items():
        context.row(measure, **found, **_comparison(measure, found, stopwatch, {}))


def _wait(sides, measures, context, said) -> dict[str, str]:
    """Waits for the other side, and writes who is left out from now on."""
    sides.wait(measures, _PATIENCE * max(0.0, context.left()))
    for name, why in sides.left_out.items():
        if name not in said:
            context.row("left_out", variant=name, why=why)
    return dict(sides.left_out)


def _timed(measure, workload, stopwatch, sides, context) -> dict[str, Any]:
    """A measurement in turns; alone if the other side ends in the midst of it."""
    try:
        return measure(workload, stopwatch)
    except AgainstError as error:
        context.row("left_out", variant="all", why=str(error))
        sides.leave_out_all(str(error))
        return measure(workload, stopwatch)


def _comparison(measure, found, stopwatch, memory) -> dict[str, Any]:
    """What a row holds on all who took turns, by name; ours is `ours`.

    Returns:
        `best_seconds` of a step; `torch_over_ours` by best rounds; `mfu`, from our
            program's FLOPs and the best round, where the device's peak is known;
            `peak_memory` in bytes; `rounds`, and `cut` if time ended them early.
    """
    compared = stopwatch.comparison[measure]
    best = {"ours": compared["ours"]["lowest"]}
    best |= {name: v["lowest"] for name, v in compared["variants"].items()}
    ratios = {n: v["ratio"]["best"] for n, v in compared["variants"].items()}
    result = {"best_seconds": best, "torch_over_ours": ratios}
    result["rounds"] = compared["rounds"]
    if compared["rounds"] < stopwatch.repeats:
        result["cut"] = f"{compared['rounds']} of {stopwatch.repeats} rounds"
    peak = peak_flops(jax.devices()[0].device_kind)
    if peak is not None and found.get("flops"):
        result["mfu"] = {n: found["flops"] / s / peak for n, s in best.items()}
    if memory:
        result["peak_memory"] = memory
    return result

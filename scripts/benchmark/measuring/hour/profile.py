"""A profile of our training step: a Perfetto trace, and its longest kernels."""

import collections
import pathlib
import shutil
import tempfile
from typing import Any

import jax

from scripts.benchmark.measuring.hour.cases import Case
from scripts.benchmark.measuring.hour.context import Context
from scripts.benchmark.measuring.origin import origin
from scripts.benchmark.measuring.program_text import read_program
from scripts.benchmark.measuring.report import format_table
from scripts.benchmark.measuring.workload import Workload

_STEPS = 3
_KERNELS = 10


def profile(case: Case, context: Context) -> None:
    """Writes `perfetto_trace.json.gz`, `kernels.txt`, and the row `kernels`.

    ui.perfetto.dev shows the trace.
    """
    with tempfile.TemporaryDirectory(prefix="jaxseg_hour_") as name:
        folder = pathlib.Path(name)
        tiny = context.tiny
        training = Workload(case.load(tiny), case.setup(tiny), folder).training
        training.turn(2)
        context.go_on_with("the profile")
        traced = folder / "trace"
        with jax.profiler.trace(str(traced), create_perfetto_trace=True):
            training.turn(_STEPS)
        (trace,) = traced.rglob("perfetto_trace.json.gz")
        shutil.copy(trace, context.out / trace.name)
        (found,) = traced.rglob("*.xplane.pb")
        kernels, total = longest_kernels(found, _KERNELS)
    origins = _origins(training.step.as_text())
    for kernel in kernels:
        kernel["origin"] = origins.get(kernel["operation"], "")
    rows = [("kernel", "ms/step", "share", "calls/step", "operation", "origin")]
    rows += [
        (
            kernel["name"][:70],
            f"{1000 * kernel['seconds'] / _STEPS:.3f}",
            f"{100 * kernel['seconds'] / total:.1f} %",
            f"{kernel['calls'] / _STEPS:.0f}",
            kernel["operation"],
            kernel["origin"],
        )
        for kernel in kernels
    ]
    text = "\n".join(format_table(rows)) + "\n"
    (context.out / "kernels.txt").write_text(text)
    context.row("kernels", steps=_STEPS, seconds_of_all=total, longest=kernels)


def longest_kernels(
    path: pathlib.Path, count: int
) -> tuple[list[dict[str, Any]], float]:
    """The kernels of a profile that took longest, all calls together.

    Args:
        path: an XSpace of jax.profiler's, `*.xplane.pb`.
        count: of kernels.

    Returns:
        Of each `name`, `operation` (XLA's instruction), `calls` and `seconds`, longest
        first; and the seconds of all kernels.
    """
    seconds, calls = collections.Counter(), collections.Counter()
    operation = {}
    for event in _kernels(jax.profiler.ProfileData.from_file(str(path))):
        seconds[event.name] += event.duration_ns / 1e9
        calls[event.name] += 1
        operation[event.name] = dict(event.stats).get("hlo_op", "")
    longest = [
        {
            "name": name,
            "operation": operation[name],
            "calls": calls[name],
            "seconds": spent,
        }
        for name, spent in seconds.most_common(count)
    ]
    return longest, seconds.total()


def _origins(text):
    """Where in the model an instruction is from, by its name."""
    computations = read_program(text).computations.values()
    every = (one for c in computations for one in c.instructions.values())
    return {one.name: origin(one.op_name) for one in every}


def _kernels(profile):
    """Events of kernels: of a GPU's streams, or of XLA's operations on a CPU."""
    planes = list(profile.planes)
    on_device = [plane for plane in planes if plane.name.startswith("/device:")]
    for plane in on_device or planes:
        for line in plane.lines:
            if on_device and line.name.startswith("Stream"):
                yield from line.events
            elif not on_device:
                yield from (e for e in line.events if "hlo_op" in dict(e.stats))

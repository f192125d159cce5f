"""Times every operation that the models are made of, alone or in turns with torch's."""

import functools
import logging
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scripts.benchmark.measuring.against import AgainstError, OtherSide
from scripts.benchmark.measuring.device import describe_devices, usable_cpus
from scripts.benchmark.measuring.op_cases import Case, make_arrays
from scripts.benchmark.measuring.op_functions import OPS

_log = logging.getLogger("jaxseg")

FORWARD, BACKWARD = "forward", "forward and backward"

# A turn lasts about so long. Short ones, and many of them, find a moment in which
# nothing else runs on the machine.
_TURN_SECONDS = 0.01
# Norms of results and gradients in float32 may differ by so much, relatively.
_TOLERANCE = 1e-3


def measure_ops(
    cases: Sequence[Case], rounds: int, command: Sequence[str] | None = None
) -> dict[str, Any]:
    """Times cases one after the other.

    Args:
        cases: from `op_cases`.
        rounds: how often everyone has a turn.
        command: starts the other side; None to time ours alone.

    Returns:
        What `describe_devices` says, `torch`'s version or None, and `rows`: each with
        `name`, `measure`, `ours` and each of the other side's layouts (seconds,
        `fastest` and `median`), and `ratio`: our fastest time over that of the
        other's better layout.

    Raises:
        AgainstError: if the other side cannot do its part, or computes something else.
    """
    with tempfile.TemporaryDirectory() as folder:
        if command is None:
            rows, version = list(_rows(cases, rounds, None)), None
        else:
            job = _write_job(cases, pathlib.Path(folder))
            log = pathlib.Path(folder, "other_side.txt")
            with OtherSide(command, job, log) as other:
                rows = list(_rows(cases, rounds, other))
                version = other.hello["torch"]
    return {**describe_devices(), "rounds": rounds, "torch": version, "rows": rows}


def _write_job(cases, folder):
    inputs = {
        f"{case.name}/{i}": array
        for case in cases
        for i, array in enumerate(make_arrays(case.name, case.arrays))
    }
    np.savez(folder / "inputs.npz", **inputs)
    described = {
        case.name: {
            "kind": case.kind,
            "inputs": len(case.arrays),
            "options": case.options,
            "backward": case.backward,
        }
        for case in cases
    }
    return {
        "cases": described,
        "inputs": str(folder / "inputs.npz"),
        "threads": usable_cpus(),
    }


def _rows(cases, rounds, other) -> Iterator[dict[str, Any]]:
    for case in cases:
        steps_of = prepare(case, make_arrays(case.name, case.arrays))
        if other is not None:
            _check_same_numbers(case, steps_of, other.hello["norms"][case.name])
        for measure, step in steps_of.items():
            players = {"ours": functools.partial(_turn, step)}
            for layout in other.hello["variants"] if other is not None else ():
                players[layout] = functools.partial(
                    other.turn, layout, f"{case.name}:{measure}"
                )
            times = _alternate(players, rounds)
            row = {"name": case.name, "measure": measure, **times}
            if other is not None:
                theirs = min(
                    times[layout]["fastest"] for layout in times.keys() - {"ours"}
                )
                row["ratio"] = times["ours"]["fastest"] / theirs
            _log.info("%s", _line(row))
            yield row


def prepare(case: Case, arrays: Sequence[np.ndarray]) -> dict[str, Callable[[], Any]]:
    """The measures of a case: each a function that runs one step, not waited for.

    Args:
        case: what is measured.
        arrays: its inputs, from `make_arrays`.
    """
    function = functools.partial(OPS[case.kind], **case.options)
    arrays = jax.device_put(list(arrays))
    forward = functools.partial(jax.jit(function), *arrays)
    if not case.backward:
        return {FORWARD: forward}
    numbers = [i for i, x in enumerate(arrays) if jnp.issubdtype(x.dtype, jnp.floating)]

    def with_gradients(g, *arrays):
        def of_numbers(*values):
            full = list(arrays)
            for i, value in zip(numbers, values, strict=True):
                full[i] = value
            return function(*full)

        # The result is returned too: XLA leaves out what nobody asks for.
        y, pull = jax.vjp(of_numbers, *(arrays[i] for i in numbers))
        return y, *pull(g)

    # Of a softmax or a norm, the gradient of the plain sum would be zero.
    g = jnp.square(forward())
    backward = functools.partial(jax.jit(with_gradients), g, *arrays)
    return {FORWARD: forward, BACKWARD: backward}


def _check_same_numbers(case, steps_of, theirs):
    outputs = steps_of[BACKWARD]() if case.backward else [steps_of[FORWARD]()]
    ours = [float(np.linalg.norm(np.asarray(x, np.float64))) for x in outputs]
    if not np.allclose(ours, theirs, rtol=_TOLERANCE):
        raise AgainstError(
            f"{case.name}: norms of the result and the gradients are {ours} here and "
            f"{theirs} there, so the two compute different things"
        )


def _alternate(players, rounds):
    """Times everyone in turns: name -> seconds a step."""
    steps = {}
    for name, play in players.items():
        play(1)  # compiles
        steps[name] = max(1, round(_TURN_SECONDS / play(1)))
    seconds = {name: [] for name in players}
    for _ in range(rounds):
        for name, play in players.items():
            # Threads of the others, that still spin, weigh on the first step.
            play(1)
            seconds[name].append(play(steps[name]) / steps[name])
    return {
        name: {"fastest": min(values), "median": statistics.median(values)}
        for name, values in seconds.items()
    }


def _turn(step, steps):
    start = time.perf_counter()
    for _ in range(steps):
        result = step()
    jax.block_until_ready(result)
    return time.perf_counter() - start


def format_table(result: dict[str, Any]) -> str:
    """A result of `measure_ops` in Markdown, times in ms."""
    first = result["rows"][0]
    names = [key for key in first if key not in ("name", "measure", "ratio")]
    ratio = ["ours / torch"] if "ratio" in first else []
    titles = "| " + " | ".join(["operation", "", *names, *ratio]) + " |"
    rule = "| --- | --- |" + " ---: |" * len([*names, *ratio])
    return "\n".join([titles, rule, *map(_line, result["rows"])])


def _line(row):
    cells = [
        f"{value['fastest'] * 1e3:.2f}" if isinstance(value, dict) else str(value)
        for key, value in row.items()
        if key != "ratio"
    ]
    if "ratio" in row:
        cells.append(f"{row['ratio']:.2f}")
    return "| " + " | ".join(cells) + " |"

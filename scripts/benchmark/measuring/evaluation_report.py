"""The result of `run_evaluation` as text."""

from collections.abc import Mapping
from typing import Any

from scripts.benchmark.measuring.report import format_comparison, format_table

_PARTS = {"evaluation_network": "network", "reading": "reading"}


def format_evaluation(result: Mapping[str, Any]) -> str:
    """Compilations, times, agreement, and the comparison if there is one."""
    device, setup = result["device"], result["setup"]
    timing = result["evaluation"]
    lines = [
        (
            f"{device['count']} x {device['kind']} ({device['platform']}), "
            f"{device['cpus']} CPUs, jax {device['jax']}"
        ),
        (
            f"{setup['images']} synthetic JPEG images of {setup['sizes']} sizes, short "
            f"side {setup['short']}, mode {setup['mode']}; {setup['clock']} time"
        ),
        "",
    ]
    rows = [("first evaluation", "s", "programs", "network", "rest", "compile s")]
    names = {"buckets": "in buckets", "exact": "at exact sizes"}
    rows += [_first(names[key], result[key]) for key in names if key in result]
    lines += [*format_table(rows), ""]
    times = {name: result[key]["fastest"] for key, name in _PARTS.items()}
    lines += [
        (
            f"a later one: {timing['seconds_per_step']:.2f} s "
            f"({timing['fastest']:.2f} to {timing['slowest']:.2f}), "
            f"{timing['images_per_second']:.2f} images/s"
        ),
        f"of the fastest {_shares(timing['fastest'], times)}",
    ]
    if "against" in result:
        lines += ["", *format_comparison(result["against"])]
        lines += list(map(_their_shares, *_variants(result["against"])))
    return "\n".join([*lines, "", *_agreement(result)])


def _first(name, first):
    programs = first["programs"]
    return (
        name,
        f"{first['seconds']:.1f}",
        str(first["compilations"]),
        str(programs["network"]),
        str(programs["rest"]),
        f"{first['backend_compile_seconds']:.1f}",
    )


def _shares(total, times):
    told = [f"{name} {100 * part / total:.0f} %" for name, part in times.items()]
    return ", ".join(told)


def _variants(against):
    """Names of the other side's variants, and of each its fastest times by measure."""
    names = against["variants"]
    times = [
        {
            measure: result["variants"][name]["lowest"]
            for measure, result in against["measures"].items()
        }
        for name in names
    ]
    return names, times


def _their_shares(name, times):
    parts = {title: times[measure] for measure, title in _PARTS.items()}
    return f"of mmseg's, {name}: {_shares(times['evaluation'], parts)}"


def _agreement(result):
    """Lines on scores, and on pixels that are counted elsewhere."""
    pixels = result["agreement"]["pixels"]
    scores = {"in buckets": result["buckets"]["scores"]}
    if "exact" in result:
        scores["at exact sizes"] = result["exact"]["scores"]
    if "against" in result:
        scores["mmseg"] = result["against"]["scores"]
    lines = [
        f"{name}: aAcc {score['aAcc']:.2f}, mIoU {score['mIoU']:.2f}"
        for name, score in scores.items()
    ]
    names = {"exact": "at exact sizes", "mmseg": "by mmseg"}
    return lines + [
        f"{result['agreement'][key]} of {pixels} pixels are of another class {name}"
        for key, name in names.items()
        if key in result["agreement"]
    ]

"""The result of a benchmark as text."""

from collections.abc import Mapping, Sequence
from typing import Any

_TITLES = {
    "train": "training step",
    "network": "inference, network",
    "label_maps": "inference, image to label map",
    "input": "input pipeline",
    "loop": "loading + training",
    "evaluation": "evaluation",
    "evaluation_network": "its network",
    "reading": "its reading",
}


def format_report(result: Mapping[str, Any]) -> str:
    """The tables of a result of `run_benchmark`."""
    device, setup = result["device"], result["setup"]
    lines = [
        (
            f"{device['count']} x {device['kind']} ({device['platform']}), "
            f"{device['cpus']} CPUs, jax {device['jax']}"
        ),
        (
            f"{setup['data']}; training {_times(setup['train_shape'])} "
            f"{setup['dtype']}, inference {_times(setup['test_shape'])}"
        ),
        "",
    ]
    rows = [("", "images/s", "ms/step", "fastest", "slowest")]
    rows += [_speed(name, part) for name, part in _parts(result)]
    lines += format_table(rows)
    programs = [p for p in _parts(result) if "compilations" in p[1]]
    if programs:
        rows = [
            ("", "programs", "compile s", "GFLOP", "GFLOP/s", "of peak", "memory MB")
        ]
        lines += ["", *format_table([*rows, *(_program(*part) for part in programs)])]
    lines += ["", *_remarks(result)]
    if "against" in result:
        lines += ["", *format_comparison(result["against"])]
    return "\n".join(lines)


def _parts(result):
    """(name, what was measured) of every part with a timing, in order."""
    found = [("train", result.get("train"))]
    found += list(result.get("inference", {}).items())
    found += [(name, result.get(name)) for name in ("input", "loop")]
    return [(name, part) for name, part in found if part is not None]


def _speed(name, part):
    seconds = (part[key] for key in ("seconds_per_step", "fastest", "slowest"))
    times = [f"{1000 * value:.1f}" for value in seconds]
    return (_TITLES[name], f"{part['images_per_second']:.2f}", *times)


def _program(name, part):
    flops, rate = part.get("flops"), part.get("flops_per_second")
    share, memory = part.get("share_of_peak"), part.get("memory")
    return (
        _TITLES[name],
        str(part["compilations"]),
        f"{part['backend_compile_seconds']:.1f}",
        "-" if flops is None else f"{flops / 1e9:.1f}",
        "-" if rate is None else f"{rate / 1e9:.1f}",
        "-" if share is None else f"{100 * share:.1f} %",
        "-" if memory is None else f"{memory['total'] / 1e6:.0f}",
    )


def _remarks(result):
    lines = []
    if "input" in result:
        part = result["input"]
        lines.append(
            f"input: {part['images_per_second_a_core']:.1f} images/s a core; with "
            f"num_workers={part['num_workers']}, num_threads={part['num_threads']} "
            f"{part['images_per_second']:.1f}"
        )
    if "loop" in result:
        wait = 100 * result["loop"]["data_wait"]
        lines.append(f"loading + training: {wait:.1f} % of the time waits for data")
    peak = result["peak_memory"]
    text = f"peak memory: {peak['host'] / 1e6:.0f} MB of the process"
    if peak["device"] is not None:
        text += f", {peak['device'] / 1e6:.0f} MB of a device"
    return [*lines, text]


def format_comparison(against: Mapping[str, Any]) -> list[str]:
    """Lines on the `against` of a result."""
    lines = [
        (
            f"against mmseg {against['mmseg']}, torch {against['torch']} on "
            f"{against['torch_device']} with {against['threads']} threads, "
            f"{against['rounds']} rounds of {against['steps']} steps in turns; its "
            f"model is from {against['model_from']}"
        )
    ]
    header = ("", "median ms/step", "best", "torch / ours", "lowest", "highest", "best")
    rows, best = [header], []
    for measure, result in against["measures"].items():
        ours = result["ours"]
        name = f"{_TITLES[measure]}: ours"
        rows.append((name, _ms(ours["median"]), _ms(ours["lowest"]), *[""] * 4))
        for name, variant in result["variants"].items():
            ratio = variant["ratio"]
            keys = ("median", "lowest", "highest", "best")
            times = (_ms(variant["median"]), _ms(variant["lowest"]))
            rows.append((f"    {name}", *times, *(f"{ratio[k]:.2f}" for k in keys)))
        fastest = min(result["variants"].values(), key=lambda v: v["lowest"])
        best.append(f"{_TITLES[measure]} {fastest['ratio']['best']:.2f}")
    lines += format_table(rows)
    return [
        *lines,
        "torch / ours of the fastest variant, best rounds (above 1 ours is faster): "
        + "; ".join(best),
    ]


def _ms(seconds):
    return f"{1000 * seconds:.1f}"


def _times(shape):
    return "x".join(map(str, shape))


def format_table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns in line: the first to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]

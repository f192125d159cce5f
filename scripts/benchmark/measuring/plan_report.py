"""The plan of a program as text."""

from collections.abc import Mapping
from typing import Any

from scripts.benchmark.measuring.report import format_table

# Of the lists of buffers; a JSON result has all.
_ROWS = 10
_WHAT = {
    "step": "training step of {batch_size} images",
    "inference": "network of predictions, {batch_size} images on one device",
    "image": "label map of one image on {devices_an_image} devices, its rows",
}


def format_plan(result: Mapping[str, Any]) -> str:
    """The text of a plan.

    Args:
        result: from `plan.describe`, with what it was compiled for: topology, kind,
            devices, what, devices_an_image, batch_size, size, dtype; perhaps
            `largest_batch`.
    """
    height, width = result["size"]
    split = result["what"] == "inference" and result["devices_an_image"] > 1
    what = _WHAT["image" if split else result["what"]].format(**result)
    devices = f"{result['devices']} x {result['kind']} ({result['topology']})"
    lines = [
        f"{what} of {height}x{width}, {result['dtype']}, for {devices}",
        f"compiled in {result['compile_seconds']:.0f} s; all figures are of one device",
    ]
    if "largest_batch" in result:
        found = result["largest_batch"]
        lines.append(
            f"the largest batch that fits is {found['batch_size']}, "
            f"{found['images_a_device']} images a device: {found['compilations']} "
            "programs were compiled to find it"
        )
    lines += _program(result)
    if "then" in result:
        then = result["then"]
        lines += ["", "then, from the network's maps to label maps, of the same images"]
        lines += [f"compiled in {then['compile_seconds']:.0f} s", *_program(then)]
    return "\n".join(lines)


def _program(result):
    """What is said of each program."""
    lines = ["", *_memory(result["memory"]), "", *_work(result["work"])]
    lines += ["", *_products(result["products"])]
    lines += ["", *_collectives(result["collectives"])]
    lines += ["", "operations that move the most bytes"]
    lines += _operations(result["heaviest"], result["work"]["bytes"])
    for name, title in (
        ("copies", "copies and transposes"),
        ("float32", "float32 results"),
    ):
        lines += ["", *_buffers(title, result[name])]
    return lines


def _memory(memory):
    if memory is None:
        return ["memory: the platform's compiler does not say"]
    chip = memory["chip"]
    total = f"{memory['total'] / 1e6:.1f}"
    if chip is None:
        title = "memory, MB (of a device whose memory the table of chips does not have)"
    else:
        share = 100 * memory["total"] / chip
        title = f"memory, MB: {share:.1f} % of the chip's {chip / 1e9:.0f} GB"
    rows = [(name, f"{count / 1e6:.1f}") for name, count in memory["kinds"].items()]
    return [title, *format_table([*rows, ("total", total)])]


def _work(work):
    flops = work["flops"]
    arithmetic = "unknown" if flops is None else f"{flops / 1e12:.4f} TFLOP"
    rows = [
        ("arithmetic", arithmetic),
        ("main memory", f"{work['bytes'] / 1e9:.3f} GB"),
    ]
    if "best_mfu" in work:
        for i, (rate, seconds) in enumerate(
            (
                (f"{work['peak_flops'] / 1e12:.0f} TFLOP/s", "least_seconds_by_flops"),
                (f"{work['bandwidth'] / 1e9:.0f} GB/s", "least_seconds_by_bytes"),
            )
        ):
            rows[i] += (f"at {rate}", f"at least {1000 * work[seconds]:.2f} ms")
        lines = format_table(rows)
        lines.append(
            f"best MFU: {100 * work['best_mfu']:.1f} % (bfloat16 peak and bandwidth: "
            f"{work['source']})"
        )
    else:
        lines = format_table(rows)
        lines.append(
            "no bounds of time: the table of chips has no peaks of this device"
        )
    if necessary := work["necessary_bytes"]:
        lines.append(
            f"main memory moves {work['bytes'] / necessary:.2f} times the "
            f"{necessary / 1e9:.3f} GB that must be read and written once: factors and "
            "results of products, and what the program takes and gives"
        )
    if work["xla_bytes"] is not None:
        lines.append(
            f"XLA's own count is {work['xla_bytes'] / 1e9:.3f} GB: of a loop one run, "
            "and with what never leaves the chip"
        )
    if work["loops_of_unknown_length"]:
        lines.append(
            f"{work['loops_of_unknown_length']} loops do not say how often they run: "
            "counted as one run"
        )
    return lines


def _products(found):
    useful, padded = found["flops"], found["padded_flops"]
    if not useful:
        return ["products: none"]
    title = (
        f"products: {useful / 1e12:.4f} TFLOP, with what fills up tiles "
        f"{padded / 1e12:.4f}, {padded / useful:.2f} times as many"
    )
    if "least_seconds" in found:
        title += f": at least {1000 * found['least_seconds']:.2f} ms"
    precisions = " and ".join(found["precisions"])
    lines = [title, f"precision of the products: {precisions}"]
    rows = [row for row in found["rows"] if row["padded_flops"] > row["flops"]]
    if not rows:
        return lines
    table = [("GFLOP", "padded", "of all", "count", "", "factors, result and origin")]
    for row in rows[:_ROWS]:
        count, more = row["flops"], row["padded_flops"]
        numbers = (
            f"{count / 1e9:.2f}",
            f"{more / 1e9:.2f}",
            f"{100 * more / padded:.1f} %",
        )
        table.append((*numbers, str(row["count"]), row["operation"], _place(row)))
    lines += _left_last(table)
    if len(rows) > _ROWS:
        lines.append(f"and {len(rows) - _ROWS} more rows (--json FILE has them)")
    return lines


def _collectives(found):
    if not found["kinds"]:
        return ["collectives: none"]
    rows = [("collectives", "count", "MB", "in a loop", "largest")]
    for one in found["kinds"]:
        key = one["kind"], one["in_loop"]
        largest = next(e for e in found["each"] if (e["kind"], e["in_loop"]) == key)
        example = f"{largest['bytes'] / 1e6:.3f} MB {largest['dtype']}"
        rows.append(
            (
                one["kind"],
                str(one["count"]),
                f"{one['bytes'] / 1e6:.3f}",
                "yes" if one["in_loop"] else "no",
                f"{example}, {largest['origin']}",
            )
        )
    return _left_last(rows)


def _operations(rows, moved):
    table = [("MB", "of all", "count", "", "result, and where it comes from")]
    for row in rows:
        share = 100 * row["bytes"] / moved if moved else 0.0
        table.append(
            (
                f"{row['bytes'] / 1e6:.2f}",
                f"{share:.1f} %",
                str(row["count"]),
                row["operation"],
                _place(row),
            )
        )
    return _left_last(table)


def _buffers(title, rows):
    count = sum(row["count"] for row in rows)
    size, moved = (sum(row[key] for row in rows) / 1e6 for key in ("size", "bytes"))
    if not rows:
        return [f"{title} above 1 MB: none"]
    lines = [f"{title} above 1 MB: {count} of {size:.1f} MB, {moved:.1f} MB moved"]
    table = [("MB", "moved", "count", "", "result, and where it comes from")]
    for row in rows[:_ROWS]:
        numbers = f"{row['size'] / 1e6:.2f}", f"{row['bytes'] / 1e6:.2f}"
        table.append((*numbers, str(row["count"]), row["operation"], _place(row)))
    lines += _left_last(table)
    if len(rows) > _ROWS:
        lines.append(f"and {len(rows) - _ROWS} more rows (--json FILE has them)")
    return lines


def _place(row):
    loop = ", in a loop" if row["in_loop"] else ""
    return f"{row['shape']}  {row['origin']}{loop}"


def _left_last(rows):
    """A table whose last column is text."""
    table = format_table([row[:-1] for row in rows])
    width = max(map(len, table))
    return [
        f"{line.ljust(width)}  {row[-1]}" for line, row in zip(table, rows, strict=True)
    ]

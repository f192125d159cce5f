"""Plan of a program: what a device is given to hold, to compute, to move and to send.

All of it is read from the compiled program; nothing runs.
"""

import collections
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax

from jaxseg.inference.bands import devices_of_image
from jaxseg.resolve import resolve_model
from scripts.benchmark.measuring.abstract_program import (
    Compiled,
    DoesNotFit,
    batch_parts,
    compile_inference,
    compile_step,
)
from scripts.benchmark.measuring.chip import Chip, find_chip
from scripts.benchmark.measuring.largest_batch import largest_batch
from scripts.benchmark.measuring.origin import origin
from scripts.benchmark.measuring.program_products import products
from scripts.benchmark.measuring.program_text import read_program
from scripts.benchmark.measuring.program_traffic import (
    Operation,
    collectives,
    loops_of_unknown_length,
    operations,
)
from scripts.benchmark.measuring.topology import TopologyError

# Buffers below this are not listed, bytes.
LARGE = 1_000_000
_MOST_BYTES = 10
# A fusion of nothing else only puts an array into another layout.
_RELAYS = {"parameter", "copy", "transpose", "bitcast", "reshape", "tuple"}


# What can be planned.
PROGRAMS = {"step": compile_step, "inference": compile_inference}


def make_plan(
    config: Mapping[str, Any],
    devices: Sequence[jax.Device],
    what: str,
    batch_size: int,
    size: tuple[int, int],
    largest: bool = False,
) -> dict[str, Any]:
    """Compiles a program of a config, and describes it.

    Args:
        config: with `model`, of a step `optim_wrapper` and perhaps `mesh`.
        devices: that it is compiled for.
        what: which of `PROGRAMS`.
        batch_size: images of a step over all devices, of inference on one.
        size: (height, width) of them.
        largest: plans the largest batch that fits instead, which is looked for from
            `batch_size` on.

    Returns:
        Of `describe`, and kind and number of the devices, what, devices_an_image,
        batch_size, size and dtype; with `largest` also `largest_batch`: batch_size, images_a_device, and
        the number of compilations.

    Raises:
        ConfigError: if the config cannot be used.
        DoesNotFit: if a device's memory is too small.
        TopologyError: with `largest`, if it is not known how large that memory is.
    """
    kind = devices[0].device_kind
    chip = find_chip(kind)
    found = {}
    if largest:
        if chip is None:
            raise TopologyError(
                f"--largest_batch: how much memory a device of the kind {kind!r} has "
                "is not in the table of scripts/benchmark/measuring/chip.py"
            )
        program, found = _largest(config, devices, what, batch_size, size, chip)
    else:
        program = PROGRAMS[what](config, devices, batch_size, size)
    return {
        "kind": kind,
        "devices": len(devices),
        "what": what,
        "devices_an_image": len(devices_of_image(config.get("mesh"), devices)),
        "batch_size": batch_size,
        "size": size,
        "dtype": resolve_model(config["model"]).dtype,
        **found,
        **describe(program, chip),
    }


def _largest(config, devices, what, batch_size, size, chip):
    """The program of the largest batch, and what is said of it."""
    parts = batch_parts(config, devices) if what == "step" else 1
    programs = {}

    def memory(images):
        program = PROGRAMS[what](config, devices, images * parts, size)
        programs[images] = program
        return program.most_memory

    start = max(batch_size // parts, 1)
    images, compilations = largest_batch(memory, chip.memory, start)
    if images == 0:
        raise DoesNotFit(
            f"not even one image of --size {size[0]},{size[1]} fits a device"
        )
    found = {
        "batch_size": images * parts,
        "images_a_device": images,
        "compilations": compilations,
    }
    return programs[images], {"batch_size": images * parts, "largest_batch": found}


def describe(program: Compiled, chip: Chip | None) -> dict[str, Any]:
    """What a plan says of a program.

    Args:
        program: the program.
        chip: what it would run on, None where its peaks are not known.

    Returns:
        memory: bytes by kind, `total`, and the chip's; None where XLA does not say.
            `kept` are the parameters of the program before.
        work: flops, bytes moved (`bytes`), XLA's own count of bytes (`xla_bytes`),
            loops of unknown length, and with a chip the least seconds that flops
            and bytes take on it and `best_mfu`; `necessary_bytes`: of the inputs and
            results of every product, and of what the program takes and gives.
        products: flops of all convolutions and matrix products, `padded_flops` with
            what fills up the chip's tiles, with a chip the least seconds of these,
            the precisions in which factors are multiplied, and rows of products, those that tiles add the most to first.
        collectives: by kind and whether they stand in loops, and each of them.
        heaviest: the ten rows of operations that move the most bytes.
        copies, float32: operations whose result takes more than `LARGE` bytes,
            wherever it lies, the largest first: those that only put an array into
            another place or layout, and those that give float32.
        compile_seconds: with the trace.
        then: all this of the program that runs next, where there is one.
    """
    module = read_program(program.text)
    found = operations(module)
    moved = sum(one.total for one in found)
    large = [one for one in found if _size(one) >= LARGE]
    multiplied = products(module)
    then = {} if program.then is None else {"then": describe(program.then, chip)}
    return {
        "memory": _memory(program, chip),
        "work": {
            "flops": program.flops,
            "bytes": moved,
            "xla_bytes": program.xla_bytes,
            "necessary_bytes": _necessary(module, program, multiplied),
            "loops_of_unknown_length": loops_of_unknown_length(module),
            **_bounds(program.flops, moved, chip),
        },
        "products": _products(multiplied, chip),
        "collectives": _collectives(collectives(module)),
        "heaviest": _grouped(found, "bytes")[:_MOST_BYTES],
        "copies": _grouped(filter(_copies, large), "size"),
        "float32": _grouped(filter(_gives_float32, large), "size"),
        "compile_seconds": program.compile_seconds,
        **then,
    }


def _memory(program, chip):
    memory = program.memory
    if memory is None:
        return None
    padding = memory["arguments"] - sum(program.parts.values())
    kinds = {
        **program.parts,
        "padding of these": padding,
        "results": memory["outputs"],
        "temporaries": memory["temporaries"],
        **({"kept": program.kept} if program.kept else {}),
    }
    return {
        "kinds": kinds,
        "total": memory["total"] + program.kept,
        "chip": None if chip is None else chip.memory,
    }


def _bounds(flops, moved, chip):
    if chip is None or not flops:
        return {}
    compute, memory = flops / chip.flops, moved / chip.bandwidth
    return {
        "peak_flops": chip.flops,
        "bandwidth": chip.bandwidth,
        "source": chip.source,
        "least_seconds_by_flops": compute,
        "least_seconds_by_bytes": memory,
        "best_mfu": compute / max(compute, memory),
    }


def _necessary(module, program, multiplied):
    """Bytes that are read and written once however good the program is."""
    results = sum(array.useful_bytes for array in module.entry.root.arrays)
    of_products = sum(one.bytes * one.times for one in multiplied)
    return of_products + sum(program.parts.values()) + results


def _products(multiplied, chip):
    rows = {}
    for one in multiplied:
        name = one.opcode, str(one), origin(one.op_name), one.in_loop
        row = rows.setdefault(name, {"count": 0, "flops": 0.0, "padded_flops": 0.0})
        row["count"] += one.times
        row["flops"] += one.flops * one.times
        row["padded_flops"] += one.padded_flops * one.times
    rows = _named(rows)
    padded = sum(row["padded_flops"] for row in rows)
    return {
        "flops": sum(row["flops"] for row in rows),
        "padded_flops": padded,
        "precisions": sorted({one.precision for one in multiplied}),
        **({} if chip is None else {"least_seconds": padded / chip.flops}),
        "rows": sorted(rows, key=lambda row: row["flops"] - row["padded_flops"]),
    }


def _collectives(found):
    kinds = collections.defaultdict(lambda: {"count": 0, "bytes": 0})
    each = collections.defaultdict(lambda: {"count": 0, "bytes": 0})
    for one in found:
        place = origin(one.op_name)
        shapes = [str(array) for array in one.arrays]
        dtype = "+".join(dict.fromkeys(array.dtype for array in one.arrays))
        for entry in (
            kinds[one.kind, one.in_loop],
            each[one.kind, one.in_loop, place, dtype, len(shapes)],
        ):
            entry["count"] += one.times
            entry["bytes"] += one.bytes * one.times
    names = ("kind", "in_loop", "origin", "dtype", "arrays")
    rows = [
        [
            {**dict(zip(names, name, strict=False)), **entry}
            for name, entry in table.items()
        ]
        for table in (kinds, each)
    ]
    kinds, each = (sorted(table, key=lambda row: -row["bytes"]) for table in rows)
    return {"kinds": kinds, "each": each}


def _grouped(found: Iterable[Operation], key: str) -> list[dict[str, Any]]:
    """Operations of one kind, shape and origin as one row.

    Args:
        found: the operations.
        key: of a row, by which they are sorted: `bytes` that they move, or `size` of
            their results, of all runs together.
    """
    rows = {}
    for one in found:
        shape = " ".join(map(str, one.arrays[:2])) + " ..." * (len(one.arrays) > 2)
        name = one.opcode, shape, origin(one.op_name), one.in_loop
        row = rows.setdefault(name, {"count": 0, "bytes": 0, "size": 0})
        row["count"] += one.times
        row["bytes"] += one.total
        row["size"] += _size(one) * one.times
    return sorted(_named(rows), key=lambda row: -row[key])


def _named(rows):
    """Rows by (operation, shape, origin, in_loop) as dicts that hold these, too."""
    names = ("operation", "shape", "origin", "in_loop")
    return [
        {**dict(zip(names, name, strict=True)), **row} for name, row in rows.items()
    ]


def _copies(one):
    """Whether an operation only puts an array into another place or layout."""
    if one.opcode in ("copy", "transpose"):
        # From one memory to another it is a TPU's prefetch, and no detour.
        spaces = {array.space for array in (*one.operands, *one.arrays)}
        return len(spaces) == 1
    return bool(one.inside & {"copy", "transpose"}) and one.inside <= _RELAYS


def _gives_float32(one):
    return any(a.dtype == "f32" and a.bytes >= LARGE for a in one.arrays)


def _size(one):
    return max((array.bytes for array in one.arrays), default=0)

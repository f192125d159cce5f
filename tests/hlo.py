"""The collectives of a compiled program, read from its text."""

import dataclasses
import math
import re

import jax

_KINDS = (
    "all-reduce",
    "all-gather",
    "all-to-all",
    "reduce-scatter",
    "collective-permute",
    "collective-broadcast",
    "ragged-all-to-all",
)
_BYTES = {"pred": 1, "bf16": 2, "token": 0}
_HEADER = re.compile(r"^(?:ENTRY )?%?([\w.\-]+) \(.*\{$")
_OPERATION = re.compile(r"^\s*(?:ROOT )?%?[\w.\-]+ = (.*?) ([\w\-]+)\(")
_CALLS = re.compile(
    r"(?:condition|body|calls|to_apply|branch_computations|called_computations|"
    r"true_computation|false_computation)="
    r"(\{[^}]*\}|%?[\w.\-]+)"
)
_ARRAY = re.compile(r"(\w+)\[([\d,]*)\]")


@dataclasses.dataclass(frozen=True)
class Collective:
    """An operation in which devices exchange something.

    Attributes:
        kind: such as `all-reduce`.
        shapes: of the arrays that each device gets.
        bytes: of all of them.
        in_loop: whether it runs in every iteration of a loop.
    """

    kind: str
    shapes: tuple[tuple[int, ...], ...]
    bytes: int
    in_loop: bool


def collectives(compiled: jax.stages.Compiled) -> list[Collective]:
    """All collectives of a program, those of every function that it calls."""
    functions = _functions(compiled.as_text())
    inside = _within_loops(functions)
    found = []
    for name, lines in functions.items():
        for line in lines:
            kind = _kind(line)
            if kind is None:
                continue
            arrays = _ARRAY.findall(_OPERATION.match(line)[1])
            shapes = tuple(
                tuple(int(side) for side in sides.split(",") if side)
                for _, sides in arrays
            )
            size = sum(
                _item_bytes(dtype) * math.prod(shape)
                for (dtype, _), shape in zip(arrays, shapes, strict=True)
            )
            found.append(Collective(kind, shapes, size, name in inside))
    return found


def _kind(line):
    match = _OPERATION.match(line)
    name = match and match[2].removesuffix("-start")
    return name if name in _KINDS else None


def _item_bytes(dtype):
    return _BYTES[dtype] if dtype in _BYTES else int(re.search(r"\d+", dtype)[0]) // 8


def _functions(text):
    """The lines of each computation of an HLO module, by its name."""
    functions, lines = {}, None
    for line in text.splitlines():
        if (header := _HEADER.match(line)) is not None:
            lines = functions.setdefault(header[1], [])
        elif line.startswith("}"):
            lines = None
        elif lines is not None:
            lines.append(line)
    return functions


def _called(line):
    return [
        name.strip().lstrip("%")
        for group in _CALLS.findall(line)
        for name in group.strip("{}").split(",")
    ]


def _within_loops(functions):
    """The names of the computations that a `while` runs, directly or not."""
    waiting = [
        name
        for lines in functions.values()
        for line in lines
        if (match := _OPERATION.match(line)) and match[2] == "while"
        for name in _called(line)
    ]
    inside = set()
    while waiting:
        name = waiting.pop()
        if name not in inside:
            inside.add(name)
            waiting += [n for line in functions[name] for n in _called(line)]
    return inside

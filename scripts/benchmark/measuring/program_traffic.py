"""Traffic of a program: what each operation moves between a device and its memory.

A fusion reads its operands and writes its results, whatever happens inside; of an
array that it only cuts something from, it reads what it cuts. What lies in another
memory than the device's main one, as a TPU's prefetched arrays do, moves nothing. A
loop's body counts as often as it runs, every branch of a conditional once.
"""

import dataclasses
from collections.abc import Iterator

from scripts.benchmark.measuring.hlo_shape import Array
from scripts.benchmark.measuring.program_loops import trips
from scripts.benchmark.measuring.program_text import (
    Computation,
    Instruction,
    Program,
)

COLLECTIVES = (
    "all-reduce",
    "all-gather",
    "all-to-all",
    "reduce-scatter",
    "collective-permute",
    "collective-broadcast",
    "ragged-all-to-all",
)
# They name or order values, and move none.
_STILL = {"parameter", "constant", "tuple", "after-all", "partition-id", "replica-id"}
_STILL |= {"add-dependency", "domain"}
_CUTTING = {"dynamic-slice", "slice", "gather"}
_RUNS = {"while": ("condition", "body"), "call": ("to_apply",)}
_RUNS["conditional"] = (
    "branch_computations",
    "true_computation",
    "false_computation",
)


@dataclasses.dataclass(frozen=True)
class Operation:
    """An instruction that runs by itself.

    Attributes:
        name: of the instruction.
        opcode: of the instruction; without `-start` of a pair.
        arrays: of the result.
        operands: the arrays that it takes.
        bytes: that one run reads and writes, with what fills up tiles.
        times: how often it runs in one call of the program.
        in_loop: whether a loop runs it.
        op_name: of the instruction, or where it has none, of what is inside, or of
            what it takes.
        inside: the opcodes of a fusion's own instructions.
    """

    name: str
    opcode: str
    arrays: tuple[Array, ...]
    operands: tuple[Array, ...]
    bytes: int
    times: int
    in_loop: bool
    op_name: str
    inside: frozenset[str]

    @property
    def total(self) -> int:
        """Bytes of all runs."""
        return self.bytes * self.times


@dataclasses.dataclass(frozen=True)
class Collective:
    """An operation in which devices exchange something.

    Attributes:
        kind: such as `all-reduce`.
        arrays: that each device gets.
        times, in_loop, op_name: as of `Operation`.
    """

    kind: str
    arrays: tuple[Array, ...]
    times: int
    in_loop: bool
    op_name: str

    @property
    def bytes(self) -> int:
        """Bytes of the values of one run."""
        return sum(array.useful_bytes for array in self.arrays)


def operations(program: Program) -> list[Operation]:
    """Every operation of a program that moves something or runs."""
    found = []
    for computation, one, times, in_loop in running(program):
        if one.opcode in _STILL or one.opcode.endswith(("-done", "-update")):
            continue
        if one.is_view:
            continue
        end = _end(computation, one)
        found.append(
            Operation(
                name=one.name,
                opcode=_opcode(program, one),
                arrays=end.arrays,
                operands=tuple(
                    array
                    for operand in one.operands
                    for array in computation.instructions[operand].arrays
                ),
                bytes=_moved(program, computation, one, end),
                times=times,
                in_loop=in_loop,
                op_name=_name(program, computation, one),
                inside=_inner_opcodes(program, one),
            )
        )
    return found


def collectives(program: Program) -> list[Collective]:
    """Every collective of a program, those inside fusions too."""
    found = []
    for computation, one, times, in_loop in running(program):
        for place, inner in with_inner(program, computation, one):
            kind = _opcode(program, inner)
            if kind in COLLECTIVES and not inner.opcode.endswith(("-done", "-update")):
                arrays = _end(place, inner).arrays
                name = inner.op_name or one.op_name
                found.append(Collective(kind, arrays, times, in_loop, name))
    return found


def loops_of_unknown_length(program: Program) -> int:
    """Loops whose number of runs the text does not say: they count as one run."""
    return sum(
        one.opcode == "while" and trips(program, computation, one) is None
        for computation, one, *_ in running(program)
    )


def running(
    program: Program,
    computation: Computation | None = None,
    times: int = 1,
    in_loop: bool = False,
) -> Iterator[tuple[Computation, Instruction, int, bool]]:
    """Instructions that run by themselves, each with its computation.

    A loop comes before what it runs; calls and conditionals do not come.

    Args:
        program: the program.
        computation: where it begins, by default at the entry.
        times: how often that runs.
        in_loop: whether a loop runs it.

    Yields:
        The computation, the instruction, how often it runs, and whether a loop runs it.
    """
    computation = computation or program.entry
    for one in computation.instructions.values():
        if one.opcode not in _RUNS:
            yield computation, one, times, in_loop
            continue
        is_loop = one.opcode == "while"
        if is_loop:
            yield computation, one, times, in_loop
        runs = trips(program, computation, one) if is_loop else 1
        # One of unknown length counts as one run.
        runs = 1 if runs is None else runs
        for kind in _RUNS[one.opcode]:
            for name in one.called.get(kind, ()):
                callee = program.computations[name]
                yield from running(program, callee, times * runs, in_loop or is_loop)


def _end(computation, one):
    """The `-done` of a pair, whose result is the pair's, or the instruction itself."""
    end = one
    while end.opcode.endswith(("-start", "-update")):
        (end,) = (
            user
            for user in computation.users[end.name]
            if user.opcode.endswith(("-done", "-update"))
        )
    return end


def _opcode(program, one):
    """That of an instruction; of a wrapped asynchronous one, of what is wrapped."""
    if one.opcode.startswith("async-") and "calls" in one.called:
        return program.computations[one.called["calls"][0]].root.opcode
    return one.opcode.removesuffix("-start")


def _moved(program, computation, one, end):
    """Bytes that one run reads and writes."""
    if one.opcode == "while":
        return 0
    operands = [computation.instructions[name] for name in one.operands]
    opcode = _opcode(program, one)
    if one.opcode in ("fusion", "async-start"):
        inner = program.computations[one.called["calls"][0]]
        sizes = [
            _read(program, inner, index, operand)
            for index, operand in enumerate(operands)
        ]
        written = _written(program, inner, inner.root, end.arrays)
        return sum(sizes) + written
    if opcode in _CUTTING:
        read = sum(array.bytes for array in end.arrays)
        first = operands[0].arrays[0].space == 0
        rest = sum(_in_main(operand.arrays) for operand in operands[1:])
        return read * first + rest + _in_main(end.arrays)
    if opcode == "dynamic-update-slice":
        update = operands[1].arrays[0]
        return _in_main([update]) + update.bytes * (end.arrays[0].space == 0)
    return sum(_in_main(operand.arrays) for operand in operands) + _in_main(end.arrays)


def _in_main(arrays):
    return sum(array.bytes for array in arrays if array.space == 0)


def _read(program, inner, index, operand):
    """Bytes of an operand that a fusion reads."""
    whole = _in_main(operand.arrays)
    if whole == 0 or index not in inner.parameters:
        return whole
    part = _used(program, inner, inner.parameters[index])
    return whole if part is None else min(whole, part)


def _used(program, inner, value):
    """Bytes that a computation cuts from a value; None where it takes it whole."""
    total = 0
    for user in inner.users[value.name]:
        places = [i for i, name in enumerate(user.operands) if name == value.name]
        if user.is_view:
            part = _used(program, inner, user)
        elif user.opcode in _CUTTING and places == [0]:
            part = sum(array.bytes for array in user.arrays)
        elif user.opcode == "dynamic-update-slice" and places == [0]:
            # In place: what is not replaced stays where it is.
            part = 0 if user.name == inner.source(inner.root).name else None
        elif user.opcode == "fusion":
            nested = program.computations[user.called["calls"][0]]
            parts = [_used(program, nested, nested.parameters[i]) for i in places]
            part = None if None in parts else sum(parts)
        else:
            part = None
        if part is None:
            return None
        total += part
    return total


def _written(program, inner, root, arrays):
    """Bytes that a fusion writes: all of its results, or what it replaces in them."""
    if root.opcode == "tuple" and len(root.operands) == len(arrays):
        each = (inner.instructions[name] for name in root.operands)
        return sum(
            _written(program, inner, one, [array])
            for one, array in zip(each, arrays, strict=True)
        )
    root = inner.source(root)
    if root.opcode == "fusion":
        nested = program.computations[root.called["calls"][0]]
        return _written(program, nested, nested.root, arrays)
    if root.opcode == "dynamic-update-slice" and len(arrays) == 1:
        update = inner.instructions[root.operands[1]].arrays[0]
        return min(update.bytes, arrays[0].bytes) * (arrays[0].space == 0)
    return _in_main(arrays)


def with_inner(
    program: Program, computation: Computation | None, one: Instruction
) -> list[tuple[Computation | None, Instruction]]:
    """An instruction, or those that a fusion stands for, each with its computation."""
    if one.opcode != "fusion":
        return [(computation, one)]
    inner = program.computations[one.called["calls"][0]]
    return [
        pair
        for nested in inner.instructions.values()
        for pair in with_inner(program, inner, nested)
    ]


def _name(program, computation, one):
    """The path of an instruction, of what stands last in it, or of what it takes."""
    nearest = {one.name: one}
    while nearest:
        for found in nearest.values():
            inner = [part.op_name for _, part in with_inner(program, None, found)]
            if name := found.op_name or next(filter(None, reversed(inner)), ""):
                return name
        names = dict.fromkeys(o for found in nearest.values() for o in found.operands)
        nearest = {name: computation.instructions[name] for name in names}
    return ""


def _inner_opcodes(program, one):
    if one.opcode != "fusion":
        return frozenset()
    return frozenset(inner.opcode for _, inner in with_inner(program, None, one))

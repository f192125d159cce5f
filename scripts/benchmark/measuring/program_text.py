"""Program text: the computations and instructions of a compiled HLO module."""

import dataclasses
import functools
import re

from scripts.benchmark.measuring.hlo_shape import Array, read_arrays

_HEADER = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{$")
_NAME = re.compile(r"^\s+(ROOT )?%?([\w.\-]+) = ")
_OPCODE = re.compile(r" ?([a-z][\w\-]*)\(")
_COMMENT = re.compile(r"/\*.*?\*/")
_OPERAND = re.compile(r"%([\w.\-]+)")
_CALLS = re.compile(
    r"\b(calls|to_apply|body|condition|branch_computations|called_computations|"
    r"true_computation|false_computation)=(\{[^}]*\}|%?[\w.\-]+)"
)
_OP_NAME = re.compile(r'\bop_name="((?:[^"\\]|\\.)*)"')
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"')
_INTEGER = re.compile(r"-?\d+")
_TARGET = re.compile(r'\bcustom_call_target="([^"]*)"')

# Another way to see the same bytes. The calls are a TPU's.
_VIEWS = {"bitcast", "get-tuple-element", "optimization-barrier"}
_WITH_ATTRIBUTES = {"convolution", "dot", "compare"}
_VIEWING_CALLS = {"ConcatBitcast", "AssumeGatherIndicesInBound", "AllocateBuffer"}


@dataclasses.dataclass(frozen=True)
class Instruction:
    """A line of a computation.

    Attributes:
        name: of its result.
        opcode: such as `fusion`.
        arrays: of its result; of a tuple there are several.
        operands: the names of what it takes.
        called: by kind (`calls`, `body`, ...) the names of computations.
        op_name: the path of what it was traced from, "" where the compiler made it.
        trips: how often the body of a `while` runs, None where its attributes do not
            say it.
        index: of a parameter, or of an element of a tuple.
        value: of a constant that is one integer.
        target: of a custom call.
        attributes: the text after the operands, of a convolution, dot or comparison;
            "" of others.
    """

    name: str
    opcode: str
    arrays: tuple[Array, ...]
    operands: tuple[str, ...]
    called: dict[str, tuple[str, ...]]
    op_name: str
    trips: int | None
    index: int
    value: int | None
    target: str
    attributes: str

    @property
    def is_view(self) -> bool:
        """Whether it moves nothing."""
        return self.opcode in _VIEWS or self.target in _VIEWING_CALLS


class Computation:
    """A function of a program.

    Attributes:
        name: the name that its callers give.
        instructions: by name, in order.
        root: the one whose result it returns.
    """

    def __init__(self, name: str, instructions: list[Instruction], root: str):
        self.name = name
        self.instructions = {one.name: one for one in instructions}
        self.root = self.instructions[root]

    @functools.cached_property
    def users(self) -> dict[str, list[Instruction]]:
        """The instructions that take each one's result."""
        users = {name: [] for name in self.instructions}
        for one in self.instructions.values():
            for operand in dict.fromkeys(one.operands):
                users[operand].append(one)
        return users

    @functools.cached_property
    def parameters(self) -> dict[int, Instruction]:
        """The parameters by their number."""
        every = self.instructions.values()
        return {one.index: one for one in every if one.opcode == "parameter"}

    def source(self, instruction: Instruction) -> Instruction:
        """What an instruction sees, where it is a view of another's only array."""
        while instruction.is_view and len(instruction.operands) == 1:
            before = self.instructions[instruction.operands[0]]
            if len(before.arrays) != 1:
                break
            instruction = before
        return instruction


@dataclasses.dataclass(frozen=True)
class Program:
    """The computations of a module by name, and the first of them to run."""

    computations: dict[str, Computation]
    entry: Computation


def read_program(text: str) -> Program:
    """Reads a module as `jax.stages.Compiled.as_text` gives it.

    Raises:
        ValueError: if a line is not understood, or there is no entry.
    """
    computations, entry, name = {}, None, None
    for line in text.splitlines():
        if name is None:
            if (header := _HEADER.match(line)) is not None:
                name, instructions, root = header[2], [], None
                entry = name if header[1] else entry
        elif line.startswith("}"):
            computations[name] = Computation(name, instructions, root)
            name = None
        elif line.strip():
            one, is_root = _read_instruction(line)
            instructions.append(one)
            root = one.name if is_root else root
    if entry is None:
        raise ValueError("the text is no HLO module: it has no ENTRY computation")
    return Program(computations, computations[entry])


def _read_instruction(line):
    line = _COMMENT.sub("", line)
    start = _NAME.match(line)
    if start is None:
        raise ValueError(f"no HLO instruction: {line.strip()[:200]}")
    shape, rest = _cut_shape(line[start.end() :])
    opcode = _OPCODE.match(rest)
    if opcode is None:
        raise ValueError(f"no opcode after the shape: {line.strip()[:200]}")
    end = _closing(rest, opcode.end() - 1)
    inside, attributes = rest[opcode.end() : end], rest[end + 1 :]
    has_operands = opcode[1] not in ("constant", "parameter")
    is_integer = opcode[1] == "constant" and _INTEGER.fullmatch(inside)
    one = Instruction(
        name=start[2],
        opcode=opcode[1],
        arrays=read_arrays(shape),
        operands=tuple(_OPERAND.findall(inside)) if has_operands else (),
        called=_called(attributes),
        op_name=_found(_OP_NAME, attributes, "").replace("\\'", "'"),
        trips=_number(_found(_TRIPS, attributes, None)),
        index=_index(opcode[1], inside, attributes),
        value=_number(inside) if is_integer else None,
        target=_found(_TARGET, attributes, ""),
        attributes=attributes if opcode[1] in _WITH_ATTRIBUTES else "",
    )
    return one, bool(start[1])


def _cut_shape(text):
    """The shape at the start, which may be a tuple, and what follows."""
    end = _closing(text, 0) + 1 if text.startswith("(") else text.index(" ")
    return text[:end], text[end:]


def _closing(text, start):
    """Where the parenthesis that opens at `start` closes."""
    depth = 0
    for place in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth == 0:
            return place
    raise ValueError(f"a parenthesis stays open: {text[:200]}")


def _called(attributes):
    return {
        kind: tuple(name.strip().lstrip("%") for name in names.strip("{}").split(","))
        for kind, names in _CALLS.findall(attributes)
    }


def _index(opcode, inside, attributes):
    if opcode == "parameter":
        return int(inside)
    if opcode == "get-tuple-element":
        return int(re.search(r"\bindex=(\d+)", attributes)[1])
    return 0


def _found(pattern, text, default):
    match = pattern.search(text)
    return default if match is None else match[1]


def _number(text):
    return None if text is None else int(text)

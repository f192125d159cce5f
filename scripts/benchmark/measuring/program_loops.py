"""Loops of a program: how often the body of each runs."""

from scripts.benchmark.measuring.program_text import (
    Computation,
    Instruction,
    Program,
)


def trips(program: Program, computation: Computation, loop: Instruction) -> int | None:
    """How often the body of a `while` runs.

    Its attributes may say it. Those of a TPU's program do not: there it is read from
    where a counter begins, what is added to it, and what it is compared with.

    Args:
        program: the program.
        computation: where the loop stands.
        loop: the `while`.

    Returns:
        The number, or None where the loop does not count from one constant to another.
    """
    if loop.trips is not None:
        return loop.trips
    (condition,), (body,) = loop.called["condition"], loop.called["body"]
    condition, body = program.computations[condition], program.computations[body]
    counter, end = _comparison(condition)
    start = _constant(computation, _element(computation, loop.operands[0], counter))
    step = _step(body, counter)
    if None in (end, start, step) or step < 1:
        return None
    return max(0, -(-(end - start) // step))


def _comparison(condition):
    """Which element of the state a condition takes to be less than which constant."""
    root = condition.root
    if root.opcode == "compare" and "direction=LT" in root.attributes:
        counter, end = (_value(condition, name) for name in root.operands)
        if counter.opcode == "get-tuple-element":
            return counter.index, end.value
    return None, None


def _step(body, counter):
    """The constant that a body adds to an element of its state."""
    after = _value(body, _element(body, body.root.name, counter))
    if after is None or after.opcode != "add":
        return None
    before, step = (_value(body, name) for name in after.operands)
    counts = before.opcode == "get-tuple-element" and before.index == counter
    return step.value if counts else None


def _element(computation, name, index):
    """The name of what stands at a place of a tuple that the computation makes."""
    made = computation.instructions[name]
    if made.opcode != "tuple" or index is None:
        return None
    return made.operands[index]


def _constant(computation, name):
    found = _value(computation, name)
    return None if found is None else found.value


def _value(computation, name):
    """The instruction of that name, or what it copies."""
    if name is None:
        return None
    found = computation.instructions[name]
    while found.opcode == "copy":
        found = computation.instructions[found.operands[0]]
    return found

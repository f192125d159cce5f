"""Operators: arithmetic and comparison of data, refused before it grows too large."""

import ast
import operator
from typing import Any

from jaxseg.mmseg_config.reader.base_dict import BaseDict
from jaxseg.mmseg_config.reader.format_text import format_percent
from jaxseg.mmseg_config.reader.limits import (
    MAX_BITS,
    MAX_CHARACTERS,
    MAX_ITEMS,
    Budget,
    LimitError,
    checked,
)

_BINARY = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
    ast.BitXor: operator.xor,
}
_UNARY = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
}
_COMPARE = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}


def binary(kind: type[ast.operator], left: Any, right: Any, budget: Budget) -> Any:
    """`left + right` and its like.

    Raises:
        LimitError: if the result would be too large.
        TypeError: as Python does, and for operators that data has no use for.
    """
    if kind not in _BINARY:
        raise TypeError(f"the operator {kind.__name__} is not read")
    if isinstance(left, BaseDict) or isinstance(right, BaseDict):
        # mmengine's dicts merge deeply under `|`, unlike Python's.
        raise TypeError("a dict of `_base_` is no operand; write dict(x, key=value)")
    budget.weigh(left, right)
    if kind is ast.Mod and isinstance(left, str):
        return format_percent(left, right, budget)
    if kind is ast.Mult:
        _check_repeat(left, right)
        _check_repeat(right, left)
    elif isinstance(left, int) and isinstance(right, int):
        power = kind is ast.Pow and left.bit_length() * right > MAX_BITS
        shift = kind is ast.LShift and right > MAX_BITS
        if power or shift:
            raise LimitError(f"an integer of more than {MAX_BITS} bits")
    return budget.made(_BINARY[kind](left, right))


def _check_repeat(sequence, times):
    if isinstance(sequence, (str, list, tuple)) and isinstance(times, int):
        most = MAX_CHARACTERS if isinstance(sequence, str) else MAX_ITEMS
        if len(sequence) * times > most:
            raise LimitError(f"a {type(sequence).__name__} of more than {most:,}")


def unary(kind: type[ast.unaryop], value: Any) -> Any:
    """`-value`, `+value` or `not value`."""
    if kind not in _UNARY:
        raise TypeError(f"the operator {kind.__name__} is not read")
    return checked(_UNARY[kind](value))


def compare(kind: type[ast.cmpop], left: Any, right: Any, budget: Budget) -> bool:
    """`left == right` and its like."""
    if kind not in (ast.Is, ast.IsNot):
        budget.weigh(left, right)
    return _COMPARE[kind](left, right)

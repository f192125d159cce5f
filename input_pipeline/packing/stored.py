"""Packing JSON: JSON to dataclasses, every value of the type that its field has."""

import dataclasses
import types
import typing
from typing import Any

# Beyond any size of a file, and within NumPy's integers.
_LARGEST = (1 << 63) - 1


class Malformed(ValueError):
    """A value of another type than its field; the message says where."""


def parse(kind: Any, value: Any, where: str = "") -> Any:
    """Turns what `json.loads` gives into an object of a type.

    Args:
        kind: a dataclass, `int` (from 0), `str`, `bool`, `dict` (of anything),
            `list[T]`, `tuple[T, ...]`, `tuple[T, T]`, `dict[str, T]`, or `T | None`.
        value: a value of JSON.
        where: its path, for errors.

    Raises:
        Malformed: a value of another type, a key that is missing, or one too many.
    """
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, value, where)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        return None if value is None else parse(inner[0], value, where)
    if origin in (list, tuple):
        _check_type(value, list, where)
        if origin is list or inner[1:] == (...,):
            inner = inner[:1] * len(value)
        elif len(inner) != len(value):
            raise Malformed(f"{where} has {len(value)} entries, not {len(inner)}")
        return origin(
            parse(one, child, f"{where}.{place}")
            for place, (one, child) in enumerate(zip(inner, value, strict=True))
        )
    if origin is dict:
        _check_type(value, dict, where)
        return {k: parse(inner[1], v, f"{where}.{k[:20]}") for k, v in value.items()}
    _check_type(value, kind, where)
    if kind is int and not 0 <= value <= _LARGEST:
        raise Malformed(f"{where} is {str(value)[:20]}; it must be 0 or more")
    return value


def _dataclass(kind, value, where):
    _check_type(value, dict, where)
    hints = typing.get_type_hints(kind)
    if value.keys() != hints.keys():
        lacking = [key for key in hints if key not in value]
        unknown = [key[:20] for key in value if key not in hints]
        raise Malformed(
            f"{where or 'the file'} lacks {lacking[:5]}, and has the unknown keys "
            f"{unknown[:5]}"
        )
    path = f"{where}." if where else ""
    return kind(**{k: parse(hints[k], value[k], path + k) for k in hints})


def _check_type(value, kind, where):
    if type(value) is not kind:  # a bool is no number here
        raise Malformed(
            f"{where or 'the file'} is of type {type(value).__name__}, not "
            f"{kind.__name__}"
        )

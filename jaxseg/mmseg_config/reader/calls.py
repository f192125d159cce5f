"""Calls: the functions and methods that a config may call, all of them on data."""

from typing import Any

from jaxseg.mmseg_config.reader.format_text import format_template
from jaxseg.mmseg_config.reader.limits import (
    MAX_CHARACTERS,
    Budget,
    LimitError,
    checked,
)


def _round(number, digits=None):
    # round(1, -10**9) computes 10**(10**9).
    if digits is not None and abs(digits) > 100:
        raise LimitError("round() to more than 100 digits")
    return round(number, digits)


def _sum(values, start=0):
    # The built-in copies all that it has for every list that it adds.
    if not isinstance(start, (list, tuple)):
        return sum(values, start)
    total = list(start)
    for value in values:
        if type(value) is not type(start):
            raise TypeError(
                f"sum() adds a {type(value).__name__} to a {type(start).__name__}"
            )
        total.extend(value)
    return type(start)(total)


# What Python makes an iterator of is a list here: it is used up in the same line.
FUNCTIONS = {
    "abs": abs,
    "all": all,
    "any": any,
    "bool": bool,
    "dict": dict,
    "enumerate": lambda values, start=0: list(enumerate(values, start)),
    "float": float,
    "int": int,
    "len": len,
    "list": list,
    "max": max,
    "min": min,
    "range": range,
    "reversed": lambda values: list(reversed(values)),
    "round": _round,
    "set": set,
    "sorted": sorted,
    "str": str,
    "sum": _sum,
    "tuple": tuple,
    "zip": lambda *values, strict=False: list(zip(*values, strict=strict)),
}

_METHODS = {
    str: (
        *("count", "endswith", "find", "format", "index", "join", "lower", "lstrip"),
        *("removeprefix", "removesuffix", "replace", "rsplit", "rstrip", "split"),
        *("startswith", "strip", "title", "upper"),
    ),
    dict: (
        *("clear", "copy", "get", "items", "keys", "merge", "pop", "setdefault"),
        *("update", "values"),
    ),
    list: (
        *("append", "clear", "copy", "count", "extend", "index", "insert", "pop"),
        *("remove", "reverse", "sort"),
    ),
    tuple: ("count", "index"),
    set: ("add", "copy", "discard", "union", "update"),
}


def call_function(name: str, values: list, named: dict[str, Any], budget: Budget):
    """`name(*values, **named)` of a name in FUNCTIONS."""
    budget.weigh(values, named)
    if name in ("set", "dict"):
        for value in values:
            budget.charge_hashes(_keys(value))
    return budget.made(FUNCTIONS[name](*values, **named))


def call_method(
    owner: Any, name: str, values: list, named: dict[str, Any], budget: Budget
):
    """`owner.name(*values, **named)`.

    Raises:
        LimitError: if it would be too large.
        TypeError: if data of this type has no such method, or none that is read.
    """
    allowed = next((m for kind, m in _METHODS.items() if isinstance(owner, kind)), ())
    if name not in allowed:
        raise TypeError(
            f"the method .{name}() of a {type(owner).__name__} is not read; allowed: "
            f"{', '.join(allowed) or 'none'}"
        )
    budget.weigh(owner, values, named)
    if isinstance(owner, (dict, set)) and name in ("update", "union"):
        for value in values:
            budget.charge_hashes((*_keys(value), *owner))
    if isinstance(owner, str):
        if name == "format":
            return format_template(owner, values, named, budget)
        if name == "join":
            _check_length(len(owner) * len(values[0]))
        elif name == "replace":
            _check_length(owner.count(values[0]) * len(values[1]))
    result = getattr(owner, name)(*values, **named)
    checked(owner)
    if isinstance(owner, dict) and name in ("items", "keys", "values"):
        result = list(result)
    return budget.made(result)


def _keys(value):
    """What of a value becomes keys of a dict or elements of a set."""
    pairs = isinstance(value, (list, tuple)) and all(
        isinstance(entry, (list, tuple)) and len(entry) == 2 for entry in value
    )
    if pairs:
        return [key for pair in value for key in (pair, pair[0])]
    return value if isinstance(value, (list, tuple, dict, set, range)) else ()


def _check_length(characters):
    if characters > MAX_CHARACTERS:
        raise LimitError(f"a text of more than {MAX_CHARACTERS:,} characters")

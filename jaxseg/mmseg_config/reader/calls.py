"""The functions and methods that a config may call, all of them on data."""

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
    "sum": sum,
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
        *("clear", "copy", "get", "items", "keys", "pop", "setdefault", "update"),
        "values",
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


def _check_length(characters):
    if characters > MAX_CHARACTERS:
        raise LimitError(f"a text of more than {MAX_CHARACTERS:,} characters")

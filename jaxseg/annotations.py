"""Annotations of fields: which values fit them, and what stands in their slots."""

import dataclasses
import functools
import re
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_PLAIN = (Any, bool, int, float, str, bytes, dict, list, tuple, object, NoneType)


@functools.cache
def annotations_of(cls: type) -> dict[str, Any]:
    """The annotation of each field of a dataclass.

    One that is a text (`from __future__ import annotations`), and names what is
    imported for type checkers alone, is taken for Any.
    """
    found = {field.name: field.type for field in dataclasses.fields(cls)}
    texts = {name for name, annotation in found.items() if isinstance(annotation, str)}
    if texts:
        try:
            hints = get_type_hints(cls)
        except NameError:
            hints = {}
        found |= {name: hints.get(name, Any) for name in texts}
    return found


def fits(value: Any, annotation: Any) -> bool:
    """Whether a value of a config fits an annotation.

    An int is a float, too, and a bool is neither. What a config cannot hold, such as a
    function, is not checked.
    """
    origin, args = get_origin(annotation), get_args(annotation)
    if origin in (UnionType, Union):
        return any(fits(value, arg) for arg in args)
    if origin is Literal:
        return any(type(value) is type(arg) and value == arg for arg in args)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if args[-1] is Ellipsis:
            args = args[:1] * len(value)
        return len(args) == len(value) and all(map(fits, value, args))
    if isinstance(origin, type):
        if issubclass(origin, Mapping):
            return isinstance(value, Mapping)
        # A list of a config becomes a tuple.
        return not issubclass(origin, list) or isinstance(value, (list, tuple))
    if annotation is None:
        return value is None
    if annotation is Any:
        return True
    if annotation in (int, float):
        accepted = (int, float) if annotation is float else int
        return isinstance(value, accepted) and not isinstance(value, bool)
    if not isinstance(annotation, type) or getattr(annotation, "_is_protocol", False):
        return True
    return isinstance(value, annotation)


def roles_of(annotation: Any) -> tuple[type, ...]:
    """The classes in an annotation whose objects a `dict(type=...)` stands for."""
    roles = [
        arm
        for arm in _arms(annotation)
        if isinstance(arm, type)
        and get_origin(arm) is None
        and arm not in _PLAIN
        and not issubclass(arm, Mapping)
    ]
    return tuple(dict.fromkeys(roles))


def element_of(annotation: Any, index: int) -> Any:
    """The annotation of one element of a list."""
    found = []
    for arm in _arms(annotation):
        args = get_args(arm)
        if get_origin(arm) in (tuple, list) and args:
            last = min(index, len(args) - 1)
            found.append(args[0] if args[-1] is Ellipsis else args[last])
    return Union[tuple(found)] if found else Any  # noqa: UP007 - made as it runs


def value_of(annotation: Any) -> Any:
    """The annotation of the values of a dict."""
    for arm in _arms(annotation):
        origin, args = get_origin(arm), get_args(arm)
        if isinstance(origin, type) and issubclass(origin, Mapping) and len(args) == 2:
            return args[1]
    return Any


def shown(thing: Any) -> str:
    """An annotation, or a value that does not fit one, as an error shows it."""
    if isinstance(thing, type) and get_origin(thing) is None:
        return thing.__name__
    if dataclasses.is_dataclass(thing):
        return type(thing).__name__
    if isinstance(thing, tuple) and any(map(dataclasses.is_dataclass, thing)):
        return f"a list of {', '.join(map(shown, thing))}"
    text = repr(thing)
    if get_origin(thing) is not None:
        return re.sub(r"\b\w+\.", "", text)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _arms(annotation):
    union = get_origin(annotation) in (UnionType, Union)
    return get_args(annotation) if union else (annotation,)

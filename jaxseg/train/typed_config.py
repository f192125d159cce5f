"""Turns a plain `dict(type=..., ...)` of the training settings into a dataclass."""

import dataclasses
import difflib
import types
import typing
from collections.abc import Collection, Mapping
from typing import Any


def build_typed(config: Any, table: Mapping[str, type], path: str) -> Any:
    """Builds the dataclass that a config names, or says what is wrong with it.

    Args:
      config: `dict(type=NAME, field=value, ...)`.
      table: The dataclasses by type name. Their fields are the allowed keys.
      path: Where `config` stands in the whole config; begins every error.

    Returns:
      An instance of `table[config['type']]`, with lists turned into tuples.

    Raises:
      TypeError: The config is no dict, has an unknown key, or a value is of the wrong
        type.
      ValueError: The type is missing or unknown, a needed key is missing, or the
        dataclass refuses a value.
    """
    if not isinstance(config, Mapping):
        raise TypeError(f"{path}: expected a dict with a type, found {config!r}")
    if "type" not in config:
        raise ValueError(f"{path}: `type` is missing; allowed are {sorted(table)}")
    name = config["type"]
    if name not in table:
        raise ValueError(
            f"{path}.type: {name!r} is not known{nearest(name, table)}; "
            f"allowed are {sorted(table)}"
        )
    values = {key: value for key, value in config.items() if key != "type"}
    return build_fields(values, table[name], path)


def build_fields(values: Mapping[str, Any], cls: type, path: str) -> Any:
    """Builds `cls` from its fields' values, with the checks of `build_typed`.

    A ValueError that `cls` raises begins with the field's name; the path is put before.
    """
    if not isinstance(values, Mapping):
        raise TypeError(f"{path}: expected a dict, found {values!r}")
    fields = {field.name: field for field in dataclasses.fields(cls)}
    reject_unknown_keys(values, fields, path)
    for name, field in fields.items():
        defaults = {field.default, field.default_factory}
        if name not in values and defaults == {dataclasses.MISSING}:
            raise ValueError(f"{path}.{name}: this key is missing")
    hints = typing.get_type_hints(cls)
    values = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in values.items()
    }
    for key, value in values.items():
        if not _is_instance(value, hints[key]):
            wanted = getattr(hints[key], "__name__", None)
            raise TypeError(
                f"{path}.{key}: expected {wanted or hints[key]}, found {value!r}"
            )
    try:
        return cls(**values)
    except ValueError as error:
        raise ValueError(f"{path}.{error}") from None


def reject_unknown_keys(
    config: Mapping[str, Any], allowed: Collection[str], path: str
) -> None:
    """Raises TypeError for the first key of `config` which is not in `allowed`."""
    for key in config:
        if key not in allowed:
            raise TypeError(
                f"{path}.{key}: this key is not known{nearest(key, allowed)}; "
                f"allowed are {sorted(allowed)}"
            )


def nearest(name: Any, known: Collection[str]) -> str:
    """Returns ", did you mean 'x'?" for the nearest known names, or ''."""
    matches = difflib.get_close_matches(str(name), known, n=3)
    if not matches:
        return ""
    return f" (did you mean {' or '.join(repr(match) for match in matches)}?)"


def _is_instance(value: Any, hint: Any) -> bool:
    """Whether a config value fits a field's annotation; an int is a float, too."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return any(_is_instance(value, arg) for arg in args)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if args[-1] is Ellipsis:
            args = args[:1] * len(value)
        return len(args) == len(value) and all(map(_is_instance, value, args))
    if hint in (int, float) and isinstance(value, bool):
        return False
    if hint is float:
        return isinstance(value, (int, float))
    return isinstance(value, origin or hint)

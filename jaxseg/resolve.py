"""From nested `dict(type=...)` to objects, bottom-up.

A `type` is looked up in the tables of contents; the other keys are the fields of
its dataclass. Lists become tuples. Nothing else builds objects from configs.
"""

import dataclasses
import importlib
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import flax.linen as nn

from jaxseg import backbones, heads, layers, losses, necks, segmentors
from jaxseg.config import ConfigError, nearest

MODEL_TABLES = (segmentors, backbones, necks, heads, losses, layers)

# Keys that mmseg's configs spell out although they say nothing: accepted with this
# value alone, wherever the type has no such field.
_EMPTY_IN_MMSEG = {
    "conv_cfg": None,
    "dcn": None,
    "init_cfg": None,
    "plugins": None,
    "pretrained": None,
}

_registered: dict[str, type] = {}


def register(cls: type) -> type:
    """Makes a user's class a `type` of configs; also a decorator.

    The class is a dataclass or a Linen module, whose fields are the keys of its
    config. Name the file that calls this in the config's `custom_imports`.

    Raises:
        ValueError: if another class has the name.
    """
    name = cls.__name__
    known = _registered.get(name)
    # A module that is imported again registers its class again.
    if known is not None and known.__module__ != cls.__module__:
        raise ValueError(
            f"{name} of {cls.__module__} is registered already, by {known.__module__}"
        )
    _registered[name] = cls
    return cls


def import_custom(config: Mapping[str, Any]) -> None:
    """Imports the modules of `custom_imports=dict(imports=[...])`."""
    custom = config.get("custom_imports") or {}
    names = custom.get("imports", ())
    for name in (names,) if isinstance(names, str) else names:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            raise ConfigError(
                f"custom_imports.imports: there is no module {name!r} on the Python "
                "path"
            ) from error


def resolve(config: Any, path: str, tables: Sequence[ModuleType] = MODEL_TABLES) -> Any:
    """Builds what a piece of a config describes.

    Args:
        config: any value of a config.
        path: where it stands, for errors: `model.decode_head`.
        tables: the packages in whose tables a `type` is looked up.

    Returns:
        The object of a dict with a `type`; of other dicts, lists and values the same
        with their children resolved.

    Raises:
        ConfigError: naming the path of an unknown type, an unknown or missing key,
            or a value that the type refuses.
    """
    if isinstance(config, (list, tuple)):
        return tuple(
            resolve(child, f"{path}.{i}", tables) for i, child in enumerate(config)
        )
    if not isinstance(config, Mapping):
        return config
    # Keys that are no names (a label_map) are data.
    values = {
        key: resolve(child, f"{path}.{key}", tables) for key, child in config.items()
    }
    if "type" not in values:
        return values
    cls = _lookup(values.pop("type"), path, tables)
    return _build(cls, values, path)


def _lookup(name, path, tables):
    if name in _registered:
        return _registered[name]
    for table in tables:
        if name in table.__all__:
            return getattr(table, name)
    known = [*_registered, *(entry for table in tables for entry in table.__all__)]
    raise ConfigError(
        f"{path}: {name} is not in jaxseg{nearest(str(name), known)} "
        f"Known here: {', '.join(sorted(known))}"
    )


def _build(cls, values, path):
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    if issubclass(cls, nn.Module):
        fields = {k: v for k, v in fields.items() if k not in ("parent", "name")}
    for key in [key for key in values if key not in fields]:
        if key in _EMPTY_IN_MMSEG and values[key] == _EMPTY_IN_MMSEG[key]:
            del values[key]
            continue
        raise ConfigError(
            f"{path}.{key}: {cls.__name__} has no key {key!r}"
            f"{nearest(key, fields)} It has: {', '.join(fields)}"
        )
    missing = [
        name
        for name, field in fields.items()
        if name not in values
        and field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise ConfigError(f"{path}: {cls.__name__} needs {', '.join(missing)}")
    try:
        return cls(**values)
    except (TypeError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{path}: {error}") from error

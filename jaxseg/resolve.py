"""From nested `dict(type=...)` to objects, bottom-up.

A `type` is looked up in the tables of contents; the other keys are the fields of
its dataclass. Lists become tuples. Nothing else builds objects from configs.
"""

import dataclasses
import importlib
import logging
from collections.abc import Mapping, Sequence
from types import ModuleType, NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import flax.linen as nn

from input_pipeline.errors import DataError
from jaxseg import backbones, heads, layers, losses, necks, segmentors, weights
from jaxseg.config import ConfigError, nearest
from jaxseg.errors import FieldError

_log = logging.getLogger("jaxseg")

MODEL_TABLES = (segmentors, backbones, necks, heads, losses, layers, weights)

# Keys that mmseg's configs spell out although they say nothing: accepted with this
# value alone, wherever the type has no such field.
_EMPTY_IN_MMSEG = {
    "conv_cfg": None,
    "dcn": None,
    "init_cfg": None,
    "plugins": None,
    "pretrained": None,
}

_ALLOW_FAILED = "allow_failed_imports"

_registered: dict[str, type] = {}


def register(cls: type) -> type:
    """Makes a user's class a `type` of configs; also a decorator.

    The class is a dataclass or a Linen module, whose fields are the keys of its
    config. Name the file that calls this in the config's `custom_imports`.

    Raises:
        ValueError: if another class has the name.
    """
    name = cls.__name__
    if any(name in table.__all__ for table in MODEL_TABLES):
        raise ValueError(f"{name} is jaxseg's own: give your class another name")
    known = _registered.get(name)
    # A module that is imported again registers its class again.
    if known is not None and known.__module__ != cls.__module__:
        raise ValueError(
            f"{name} of {cls.__module__} is registered already, by {known.__module__}"
        )
    _registered[name] = cls
    return cls


def is_registered(name: str) -> bool:
    """Whether a user's class has this name."""
    return name in _registered


def custom_imports(config: Mapping[str, Any]) -> list[str]:
    """The modules of `custom_imports=dict(imports=[...])`.

    Raises:
        ConfigError: if they are no names of modules.
    """
    custom = config.get("custom_imports") or {}
    if not isinstance(custom, Mapping):
        raise ConfigError(
            f"custom_imports: expected a dict with imports, found {custom!r:.80}"
        )
    unknown = [key for key in custom if key not in ("imports", _ALLOW_FAILED)]
    if unknown or custom.get(_ALLOW_FAILED):
        key = unknown[0] if unknown else _ALLOW_FAILED
        raise ConfigError(
            f"custom_imports.{key}: allowed are imports, and mmengine's {_ALLOW_FAILED}"
            "=False"
        )
    names = custom.get("imports") or []
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, (list, tuple)):
        names = [names]
    for name in names:
        parts = name.split(".") if isinstance(name, str) else ()
        if not parts or not all(part.isidentifier() for part in parts):
            raise ConfigError(
                f"custom_imports.imports: {name!r:.80} is no name of a module, such as "
                "'my_package.my_heads'"
            )
    return list(names)


def import_custom(config: Mapping[str, Any]) -> None:
    """Imports the modules of `custom_imports`, and logs which.

    Raises:
        ConfigError: if one is not there.
    """
    for name in custom_imports(config):
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if not f"{name}.".startswith(f"{error.name}."):
                raise
            raise ConfigError(
                f"custom_imports.imports: there is no module {name!r} on the Python "
                "path"
            ) from error
        _log.info("custom_imports: %s is imported", name)


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
            a value of the wrong type, or one that the class refuses.
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
    cls = lookup(values.pop("type"), path, tables)
    return build(cls, values, path)


def lookup(name: str, path: str, tables: Sequence[ModuleType] = MODEL_TABLES) -> type:
    """The class of a `type`: a registered one, or one of the tables.

    Raises:
        ConfigError: naming the path and the nearest known type.
    """
    if name in _registered:
        return _registered[name]
    for table in tables:
        if name in table.__all__:
            return getattr(table, name)
    known = [*_registered, *(entry for table in tables for entry in table.__all__)]
    raise ConfigError(
        f"{path}.type: {name!r} is not known{nearest(name, known)}; allowed are "
        f"{', '.join(sorted(known))}"
    )


def build(cls: type, values: Mapping[str, Any], path: str) -> Any:
    """Builds a dataclass or module from values by field, its children as they are.

    What the class refuses with a FieldError (of input_pipeline, a DataError) gets the
    path before it; a message that begins with a field's name and a colon goes on from
    the path: `param_scheduler.0` and `end: must be ...`. Any other exception is a
    mistake in the class, and is left alone.

    Raises:
        ConfigError: as `resolve`.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{path}: expected a dict, found {values!r}")
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    if issubclass(cls, nn.Module):
        fields = {k: v for k, v in fields.items() if k not in ("parent", "name")}
    if "init_cfg" in fields:  # what all parts have comes last
        fields["init_cfg"] = fields.pop("init_cfg")
    values = {
        key: value
        for key, value in values.items()
        if key in fields or key not in _EMPTY_IN_MMSEG or value != _EMPTY_IN_MMSEG[key]
    }
    for key, value in values.items():
        if key not in fields:
            raise ConfigError(
                f"{path}.{key}: this key is not known{nearest(key, fields)}; "
                f"{cls.__name__} has {', '.join(fields)}"
            )
        hint = fields[key].type
        if not _fits(value, hint):
            raise ConfigError(
                f"{path}.{key}: expected {getattr(hint, '__name__', hint)}, found "
                f"{value!r}"
            )
    for name, field in fields.items():
        defaults = (field.default, field.default_factory)
        if name not in values and defaults == (dataclasses.MISSING,) * 2:
            raise ConfigError(
                f"{path}.{name}: this key is missing; {cls.__name__} needs it"
            )
    try:
        return cls(**values)
    except (FieldError, DataError) as error:
        joint = "." if str(error).partition(":")[0] in fields else ": "
        raise ConfigError(f"{path}{joint}{error}") from error


def _fits(value, hint):
    """Whether a value fits an annotation of plain types; any other fits all values.

    An int is a float, too, and a bool is neither.
    """
    args = get_args(hint)
    if get_origin(hint) in (UnionType, Union):
        return any(_fits(value, arg) for arg in args)
    if get_origin(hint) is tuple:
        if not isinstance(value, tuple):
            return False
        if args[-1] is Ellipsis:
            args = args[:1] * len(value)
        return len(args) == len(value) and all(map(_fits, value, args))
    if hint in (int, float):
        accepted = (int, float) if hint is float else int
        return isinstance(value, accepted) and not isinstance(value, bool)
    return hint not in (bool, str, dict, NoneType) or isinstance(value, hint)

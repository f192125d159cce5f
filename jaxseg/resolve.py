"""Resolution: from nested `dict(type=...)` to objects, each slot checked by its role.

A `type` is looked up in the tables of contents; the other keys are the fields of
its dataclass. Lists become tuples. Nothing else builds objects from configs.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import flax.linen as nn

from input_pipeline.errors import DataError
from jaxseg import (
    backbones,
    heads,
    layers,
    losses,
    necks,
    segmentors,
    text_encoders,
    weights,
)
from jaxseg.annotations import (
    annotations_of,
    element_of,
    fits,
    roles_of,
    shown,
    value_of,
)
from jaxseg.config import ConfigError, nearest
from jaxseg.errors import FieldError
from jaxseg.registry import fitting_types, lookup
from jaxseg.segmentors.segmentor import Segmentor

MODEL_TABLES = (
    segmentors,
    backbones,
    text_encoders,
    necks,
    heads,
    losses,
    layers,
    weights,
)

# Keys that mmseg's configs spell out although they say nothing: accepted with this
# value alone, wherever the type has no such field.
_EMPTY_IN_MMSEG = {
    "conv_cfg": None,
    "dcn": None,
    "init_cfg": None,
    "plugins": None,
    "pretrained": None,
}


def resolve_model(config: Any, path: str = "model") -> Segmentor:
    """Builds the segmentor of a config's `model`.

    Raises:
        ConfigError: as `resolve`.
    """
    model = resolve(config, path, MODEL_TABLES, Segmentor)
    _check(model, Segmentor, path, MODEL_TABLES)
    return model


def resolve(
    config: Any,
    path: str,
    tables: Sequence[ModuleType] = MODEL_TABLES,
    slot: Any = Any,
) -> Any:
    """Builds what a piece of a config describes.

    Args:
        config: any value of a config.
        path: where it stands, for errors: `model.decode_head`.
        tables: the packages in whose tables a `type` is looked up.
        slot: the annotation of the place that takes the result: `Backbone`,
            `Loss | tuple[Loss, ...]`. What a `type` may name is one of its classes. A
            slot of `dict` holds data, whatever its keys.

    Returns:
        The object of a dict with a `type`, or of one in a slot that takes a single
        dataclass; of other dicts, lists and values the same with their children
        resolved.

    Raises:
        ConfigError: naming the path of an unknown type, an unknown or missing key,
            a value of the wrong type, or one that the class refuses.
    """
    if isinstance(config, (list, tuple)):
        return tuple(
            resolve(child, f"{path}.{i}", tables, element_of(slot, i))
            for i, child in enumerate(config)
        )
    if not isinstance(config, Mapping) or slot is dict:
        return config
    if "type" in config:
        cls = lookup(config["type"], path, tables, roles_of(slot))
    elif (cls := _only_class(slot, tables)) is None:
        # Keys that are no names (a label_map) are data.
        return {
            key: resolve(child, f"{path}.{key}", tables, value_of(slot))
            for key, child in config.items()
        }
    slots = annotations_of(cls)
    values = {
        key: resolve(child, f"{path}.{key}", tables, slots.get(key, Any))
        for key, child in config.items()
        if key != "type"
    }
    return build(cls, values, path, tables)


def _only_class(slot, tables):
    """The dataclass whose fields a dict without a `type` gives in a slot, or None.

    A module that has a `type`, or stands for some that have, is none.
    """
    roles = roles_of(slot)
    is_plain = len(roles) == 1 and dataclasses.is_dataclass(roles[0])
    if is_plain and issubclass(roles[0], nn.Module):
        is_plain = not fitting_types(tables, roles[0])
    return roles[0] if is_plain else None


def build(
    cls: type,
    values: Mapping[str, Any],
    path: str,
    tables: Sequence[ModuleType] = MODEL_TABLES,
) -> Any:
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
    fields = _fields(cls)
    slots = annotations_of(cls)
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
        _check(value, slots[key], f"{path}.{key}", tables)
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


@functools.cache
def _fields(cls):
    """The fields of a class that a config may set, by name."""
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    if issubclass(cls, nn.Module):
        fields = {k: v for k, v in fields.items() if k not in ("parent", "name")}
    if "init_cfg" in fields:  # what all parts have comes last
        fields["init_cfg"] = fields.pop("init_cfg")
    return fields


def _check(value, slot, path, tables):
    """Raises ConfigError unless a value fits into a slot."""
    if fits(value, slot):
        return
    hints = [
        f"; {role.__name__} is {_as_dict(role, tables)}" for role in roles_of(slot)
    ]
    found = shown(value)
    raise ConfigError(f"{path}: expected {shown(slot)}, found {found}{''.join(hints)}")


def _as_dict(role, tables):
    """How a dict for a role is written."""
    types = fitting_types(tables, role)
    if types:
        listed = " or ".join(", ".join(types).rsplit(", ", 1))
        return f"a dict with the `type` {listed}"
    return (
        f"a dict of {', '.join(_fields(role))}"
        if _only_class(role, tables)
        else "a dict"
    )

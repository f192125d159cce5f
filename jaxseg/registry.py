"""Registry: the class that a `type` of a config names.

Every package with entries has a table of contents, its `__init__.py`, and the table is
the registry. Users add classes of their own with `register`.
"""

import dataclasses
import importlib
import logging
from collections.abc import Collection, Mapping, Sequence
from types import ModuleType
from typing import Any

from jaxseg.config import ConfigError, nearest

# A `type` may say the registry it is looked up in. mmcv's and mmengine's classes are
# visible from mmseg's; a class of any other package is another class, even where it has
# the same name: mmdet.CrossEntropyLoss has another mean than mmseg's.
OWN_SCOPES = ("mmseg", "mmcv", "mmengine")

_ALLOW_FAILED = "allow_failed_imports"

_log = logging.getLogger("jaxseg")

_registered: dict[str, type] = {}


def register(cls: type) -> type:
    """Makes a user's class a `type` of configs; also a decorator.

    It serves every kind of entry: models and their parts, losses, data sets,
    transforms, optimisers, schedules, metrics, hooks. The class is a dataclass or a Linen
    module, whose fields are the keys of its config, and derives from the role that it
    plays (`Backbone`, `Head`, `Loss`, `Transform`, ...). Name the file that
    calls this in the config's `custom_imports`.

    Raises:
        TypeError: if it is no dataclass.
        ValueError: if another class has the name.
    """
    name = cls.__name__
    if not dataclasses.is_dataclass(cls):
        raise TypeError(f"{name} is no dataclass: its fields are the keys of a config")
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


def base_name(name: str) -> str:
    """A `type` without the scope of mmseg and of what mmseg's registry shows."""
    scope, _, base = name.rpartition(".")
    return base if scope in OWN_SCOPES else name


def lookup(
    name: Any,
    path: str,
    tables: Sequence[ModuleType],
    roles: tuple[type, ...] = (),
    keys: Collection[str] = (),
) -> type:
    """The class of a `type`: one of the tables, or one that is registered.

    Args:
        name: the `type`; an alias of a class (`mmpretrain.ConvNeXt`), which the class
            has in its attribute `aliases`, stands for it. Of several classes with an
            alias, which are parts of what another library has as one, it is the one
            that fits the role and has the keys.
        path: where it stands, for errors: `model.decode_head`.
        tables: the packages in whose tables it is looked up.
        roles: what fits into the place, one of these and their subclasses; empty where
            anything does.
        keys: of the entry beside `type`.

    Raises:
        ConfigError: naming the path, the nearest known type, and those that fit.
    """
    known = {
        entry: getattr(table, entry) for table in tables for entry in table.__all__
    }
    own = base_name(name) if isinstance(name, str) else None
    if own in known and own in _registered:
        raise ConfigError(
            f"{path}.type: {own} is jaxseg's own, and {_registered[own].__module__} "
            "registers another: give your class another name"
        )
    known |= _registered
    found = [known[own]] if own in known else _by_alias(known, name)
    fits = [cls for cls in found if _fits(cls, roles)]
    if fits:
        return max(fits, key=lambda cls: _has(cls, keys))
    fitting = sorted(entry for entry in known if _fits(known[entry], roles))
    if found:
        what = " or ".join(role.__name__ for role in roles)
        problem = f"{found[0].__name__} is no {what}"
    else:
        problem = f"{name!r} is not known{nearest(name, fitting)}"
    raise ConfigError(f"{path}.type: {problem}; allowed are {', '.join(fitting)}")


def fitting_types(tables: Sequence[ModuleType], role: type) -> list[str]:
    """The names of the classes in some tables, and of those registered, of a role."""
    known = {
        entry: getattr(table, entry) for table in tables for entry in table.__all__
    }
    known |= _registered
    return sorted(entry for entry in known if _fits(known[entry], (role,)))


def _fits(cls, roles):
    return not roles or (isinstance(cls, type) and issubclass(cls, roles))


def _has(cls, keys):
    """How many of the keys are fields of a class."""
    return len({field.name for field in dataclasses.fields(cls)} & set(keys))


def _by_alias(known, name):
    # An alias is the class's own: a subclass does not inherit it.
    return [cls for cls in known.values() if name in vars(cls).get("aliases", ())]

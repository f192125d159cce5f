"""Type names: what `type` may say."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from jaxseg.config import ConfigError
from jaxseg.registry import base_name, lookup


def base_type(entry: Mapping[str, Any]) -> str:
    """The `type` without the registry it is looked up in, such as `mmseg.Resize`."""
    return base_name(entry["type"])


def with_base_type(entry: Any, path: str) -> dict[str, Any]:
    """A copy of an entry whose `type` is its base type.

    Raises:
        ConfigError: if what stands at `path` is no dict with a `type`.
    """
    if not isinstance(entry, Mapping) or not isinstance(entry.get("type"), str):
        raise ConfigError(f"{path}: expected a dict with a type, found {entry!r:.80}")
    return {**entry, "type": base_type(entry)}


def find_class(name: str, table: ModuleType) -> type | None:
    """The class of a `type` in a table of contents, or one that is registered."""
    try:
        return lookup(name, "", (table,))
    except ConfigError:
        return None

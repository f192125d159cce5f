"""Merge: how a config changes its bases, by mmengine's rules."""

from typing import Any

_DELETE = "_delete_"


def merge(child: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    """What `child` makes of `base`.

    A dict changes the dict of the same key, `_delete_=True` in it replaces it; anything
    else replaces what was there. A dict with the keys '0', '1', ... changes these items
    of a list, which mmengine does for its `--cfg-options` and refuses in a file.

    Args:
        child: variables of a config. A `_delete_` that took effect is taken out of it;
            one that had nothing to replace stays, as in mmengine.
        base: variables of its bases, left as they are.

    Raises:
        TypeError: if a dict meets something other than a dict or list in the base.
        ValueError: if its keys are no indices of the list.
    """
    result = dict(base)
    for key, value in child.items():
        inherits = isinstance(value, dict) and key in result
        if not inherits or value.pop(_DELETE, False):
            result[key] = value
        elif isinstance(result[key], dict):
            result[key] = merge(value, result[key])
        elif isinstance(result[key], list):
            result[key] = _merge_items(value, result[key], key)
        else:
            raise TypeError(
                f"{key!r} is a dict here and a {type(result[key]).__name__} in the "
                f"base; {_DELETE}=True inside replaces it"
            )
    return result


def _merge_items(child, base, name):
    result = list(base)
    for key, value in child.items():
        if not (isinstance(key, str) and key.isdecimal() and key.isascii()):
            raise ValueError(
                f"{name!r} is a list in the base and {key!r} is no index of it; allowed"
                f": '0', '1', ..., or {_DELETE}=True, which replaces the list"
            )
        if len(key) > 5 or int(key) >= len(base):
            raise ValueError(
                f"{name!r} is a list of {len(base)} in the base: it has no item {key}"
            )
        changed = merge({key: value}, {key: base[int(key)]})
        result[int(key)] = changed[key]
    return result

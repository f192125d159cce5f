"""Options: values that a command line replaces in a config of mmseg's own.

They are set before the config is translated, as mmengine's `--cfg-options` are, so that
they mean what they mean there: a batch size is per GPU, a number of iterations is that
of the schedule, too.
"""

import difflib
from collections.abc import Iterable
from typing import Any

from jaxseg.config import TOP_LEVEL, ConfigError
from jaxseg.mmseg_config.reader.base_dict import Variables
from jaxseg.mmseg_config.translate import translate


def with_options(
    raw: Variables, options: Iterable[tuple[str, Any]], source: str
) -> Variables:
    """A config of mmseg with some values replaced.

    Args:
        raw: the config, which is left as it is.
        options: (path in it, value); a number in a path is an index of a list. A key
            that is not there may be set where something reads it.
        source: the config's file.

    Raises:
        ConfigError: for a path that is not there and that nothing would read, or of a
            variable that the file has read already, naming the nearest paths.
    """
    for path, value in options:
        changed = Variables(_put(raw, path.split("."), value, path, raw))
        changed.unread = raw.unread | (changed.keys() - raw.keys())
        _check_effect(raw, changed, path, source)
        raw = changed
    return raw


def _put(node, keys, value, path, raw):
    """A copy of a dict or list with a value at a path, which may be new in a dict."""
    key, *rest = keys
    if isinstance(node, (list, tuple)):
        if not (key.isdecimal() and int(key) < len(node)):
            raise ConfigError(
                f"{path}: {key!r} is no index of a list of {len(node)}{_nearest(path, raw)}"
            )
        key, copy = int(key), list(node)
    elif isinstance(node, dict) or node is None:
        copy = dict(node or {})
    else:
        raise ConfigError(f"{path}: {node!r:.40} holds no {key!r}{_nearest(path, raw)}")
    if rest:
        below = copy.get(key) if isinstance(copy, dict) else copy[key]
        value = _put(below, rest, value, path, raw)
    copy[key] = value
    return copy


def _check_effect(raw, changed, path, source):
    """Refuses a path that is new, and one of a variable, where nothing reads them."""
    first = path.partition(".")[0]
    known = dict(_places(raw))
    if path in known and (first in raw.unread or changed == raw):
        return
    before, after = translate(raw, source), translate(changed, source)
    if after.config != before.config and len(after.missing) <= len(before.missing):
        return
    if first in raw and first not in raw.unread and after == before:
        key = path.rpartition(".")[2]
        used = [
            place
            for place, value in _places(
                {key: raw[key] for key in raw.unread & raw.keys()}
            )
            if value == known.get(path) and (_is_long(value) or place.endswith(key))
        ]
        raise ConfigError(
            f"{path}: {first} is a variable of {source}, whose lines have read it already"
            f"; set its value where it stands{': ' if used else ''}{', '.join(used[:5])}"
        )
    raise ConfigError(
        f"{path}: {source} has no such key, and nothing would read it"
        f"{_nearest(path, raw)}"
    )


def _nearest(path, raw):
    known = [*dict(_places(raw)), *TOP_LEVEL]
    found = difflib.get_close_matches(path, known, n=3)
    return f"; the nearest paths are {', '.join(found)}" if found else ""


def _is_long(value):
    return isinstance(value, (list, tuple, dict))


def _places(node, at=""):
    """(path, value) of all places in nested dicts and lists."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in items:
        path = f"{at}.{key}".lstrip(".")
        yield path, value
        if _is_long(value):
            yield from _places(value, path)

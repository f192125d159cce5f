"""Inheritance: a config file and its bases as one dict, equal to mmengine's.

`read(path)` gives what `mmengine.Config.fromfile(path).to_dict()` gives, without
running any of the files. A base is named relative to its file, or absolutely, or as
`mmseg::_base_/models/x.py`; a URL, a path into another package (`mmcls::...`) and a
link that leads out of the configs are refused. The new style of mmengine, with
`read_base()`, gives what the other one would: a type is its name in a registry, and
the user's own modules that types are imported from are listed as `custom_imports`.
"""

import json
import os
import pathlib
import warnings
from collections.abc import Callable
from collections.abc import Set as AbstractSet

from jaxseg.config import ConfigError
from jaxseg.mmseg_config.reader.base_dict import Variables, to_base, to_plain
from jaxseg.mmseg_config.reader.config_file import (
    base_path,
    module_path,
    read_config_file,
)
from jaxseg.mmseg_config.reader.limits import MAX_FILE_BYTES, Budget, LimitError
from jaxseg.mmseg_config.reader.literal import Text
from jaxseg.mmseg_config.reader.merge import merge

MAX_CHAIN = 10  # bases of bases; mmsegmentation has at most 4
MAX_FILES = 100

# Properties of mmengine's Config.
_RESERVED = ("filename", "text", "pretty_text", "env_variables")


def read(path: str | pathlib.Path) -> Variables:
    """Reads a config file and its bases as data.

    Args:
        path: a `.py` or `.json` file of mmsegmentation 0.x or 1.x.

    Returns:
        The config; tuples and lists as written.

    Raises:
        ConfigError: for what cannot be read, with file, line and construct.
    """
    reader = _Reader()
    config = reader.read_file(os.path.abspath(path), str(path))
    if reader.modules and "custom_imports" not in config:
        config["custom_imports"] = {"imports": list(dict.fromkeys(reader.modules))}
    return _without_reserved(config, str(path))


def read_text(text: str, name: str) -> Variables:
    """Reads the text of a whole config, such as a checkpoint's `meta` holds.

    Args:
        text: Python source without `_base_`.
        name: what messages call it.

    Raises:
        ConfigError: for what cannot be read, with line and construct.
    """
    if len(text) > MAX_FILE_BYTES:
        raise ConfigError(f"{name}: longer than {MAX_FILE_BYTES:,} characters")
    reader = _Reader()
    parsed = Text(text, name)
    bases, line = parsed.bases(reader.budget)
    if bases:
        raise ConfigError(
            f"{name}:{line}: `_base_` in a text that comes from no file; allowed: a "
            "whole config"
        )
    config = parsed.evaluate(to_base({}), reader.budget, None)
    unread = config.keys() - parsed.read
    config = reader.inherit(config, {}, name, parsed.line_of, unread)
    return _without_reserved(config, name)


def _without_reserved(config, name):
    for key in _RESERVED:
        if key in config:
            raise ConfigError(f"{name}: {key!r} is reserved by mmengine; rename it")
    return config


class _Reader:
    """One `read`: its files share a budget."""

    def __init__(self):
        self.budget = Budget()
        self.modules: list[str] = []
        self._files = 0

    def read_file(self, path, name, chain=(), where=""):
        """The dict of the file at an absolute path.

        Args:
            path: its absolute path.
            name: what messages call it.
            chain: the paths of the files that it is a base of.
            where: the file and line that name it.
        """
        self._files += 1
        shown = f"{where}: {name}" if where else name
        if self._files > MAX_FILES:
            raise ConfigError(f"{shown}: more than {MAX_FILES} files make one config")
        if path in chain:
            raise ConfigError(f"{shown}: is a base of itself")
        if len(chain) > MAX_CHAIN:
            raise ConfigError(f"{shown}: more than {MAX_CHAIN} bases of bases")
        chain = (*chain, path)
        text = read_config_file(path, shown)
        if path.endswith(".json"):
            config = _parse_json(text, name)
            names = config.pop("_base_", [])
            bases = self._read_bases(names, f"{name}: `_base_`", chain)
            unread = bases.unread | config.keys()
            return self.inherit(config, bases, name, lambda key: 1, unread)
        parsed = Text(text, name, path)
        names, line = parsed.bases(self.budget)
        bases = self._read_bases(names, f"{name}:{line}: `_base_`", chain)
        # The text may change its bases in place, as it may in mmengine.
        seen = to_base(dict(bases))
        config = parsed.evaluate(
            seen,
            self.budget,
            lambda module, line: self.read_module(
                module, path, f"{name}:{line}", chain
            ),
        )
        self.modules += parsed.modules
        unread = bases.unread - parsed.read_of_base - config.keys()
        unread |= config.keys() - parsed.read
        return self.inherit(config, seen, name, parsed.line_of, unread)

    def read_module(self, module, path, where, chain):
        """The dict of a config that `with read_base():` imports."""
        base = module_path(module, path, where)
        return self.read_file(base, base, chain, where)

    def _read_bases(self, names, where, chain):
        names = names if isinstance(names, list) else [names]
        result, origin = Variables(), {}
        for name in names:
            path = base_path(name, chain[-1], where)
            base = self.read_file(path, path, chain, where)
            result.unread |= base.unread
            for key, value in base.items():
                if key in result:
                    raise ConfigError(
                        f"{where}: {key!r} is set by {origin[key]} and by {name}; "
                        "allowed: in one of the bases"
                    )
                result[key], origin[key] = value, name
        return result

    def inherit(
        self,
        config: dict,
        bases: dict,
        name: str,
        line_of: Callable[[str], int],
        unread: AbstractSet[str],
    ) -> Variables:
        """What the variables of a file make of those of its bases.

        Args:
            config: the variables of the file.
            bases: those of its bases.
            name: the file, as messages name it.
            line_of: the line that sets a variable.
            unread: the variables of both that no expression has read.
        """
        result, key = {}, ""
        try:
            self.budget.weigh(bases)
            result = to_plain(bases)
            for key, value in config.items():
                self.budget.weigh(value)
                if key == "_deprecation_":
                    _warn_of_deprecation(value, name)
                else:
                    # Of this key alone: there may be as many as the file has lines.
                    base = {key: result[key]} if key in result else {}
                    result[key] = merge({key: to_plain(value)}, base)[key]
        except (LimitError, TypeError, ValueError) as error:
            raise ConfigError(f"{name}:{line_of(key)}: {error}") from error
        found = {key: result[key] for key in result if not key.startswith("__")}
        variables = Variables(found)
        variables.unread = frozenset(unread & found.keys())
        return variables


def _parse_json(text, name):
    if "{{" in text:
        raise ConfigError(
            f"{name}: a placeholder {{{{...}}}} is read in .py files only"
        )
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{name}: no valid JSON: {error}") from error
    if not isinstance(config, dict):
        raise ConfigError(f"{name}: holds a {type(config).__name__}, not a dict")
    return config


def _warn_of_deprecation(deprecation, name):
    if not isinstance(deprecation, dict):
        raise TypeError("_deprecation_ is no dict")
    message = f"{name}: this config is deprecated"
    if "expected" in deprecation:
        message += f"; use {deprecation['expected']}"
    if "reference" in deprecation:
        message += f"; see {deprecation['reference']}"
    warnings.warn(message, FutureWarning, stacklevel=2)

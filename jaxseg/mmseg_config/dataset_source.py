"""Data set classes of users, read from their source as data.

A config that imports such a class mostly needs its names, colours and suffixes alone.
They are literals of the class, so its file is parsed and never run: METAINFO (0.x:
CLASSES and PALETTE), and the suffixes and reduce_zero_label that `__init__` has as
defaults or hands to its base.
"""

import ast
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jaxseg.config import ConfigError
from jaxseg.mmseg_config.reader.config_file import read_config_file
from jaxseg.mmseg_config.reader.module_files import find_module_file

_BASES = ("BaseSegDataset", "CustomDataset")
_ARGUMENTS = ("img_suffix", "seg_map_suffix", "reduce_zero_label")
_MAX_FILES = 50  # of a package that is looked through


def read_dataset_class(
    name: str, modules: Sequence[str], config_path: str
) -> dict[str, Any] | None:
    """What a class says, in the keys of our BaseSegDataset.

    Args:
        name: the name of the class.
        modules: those that the config imports; found beside it, in the folders above
            it, in the current directory and on the Python path.
        config_path: the config's file.

    Returns:
        `metainfo` and, where the class has them, suffixes and reduce_zero_label; None
        if no module has the class, or if it says more than these.
    """
    folder = os.path.dirname(os.path.abspath(config_path))
    for module in modules:
        path = find_module_file(module, folder)
        for file in _files(path) if path else ():
            found = _class_in(file, name)
            if found is not None:
                return _as_keys(found)
    return None


def _files(path: str) -> Iterator[str]:
    """A module, and of a package the modules in it."""
    yield path
    if os.path.basename(path) == "__init__.py":
        folder = os.path.dirname(path)
        names = sorted(n for n in os.listdir(folder) if n.endswith(".py"))[:_MAX_FILES]
        yield from (os.path.join(folder, n) for n in names if n != "__init__.py")


def _class_in(path: str, name: str) -> ast.ClassDef | None:
    try:
        body = ast.parse(read_config_file(path, path)).body
    except (ConfigError, SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    classes = (node for node in body if isinstance(node, ast.ClassDef))
    return next((node for node in classes if node.name == name), None)


def _as_keys(node: ast.ClassDef) -> dict[str, Any] | None:
    bases = [ast.unparse(base).rpartition(".")[2] for base in node.bases]
    if len(bases) != 1 or bases[0] not in _BASES:
        return None
    constants: dict[str, Any] = {}
    keys: dict[str, Any] = {}
    for statement in node.body:
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            value = _literal(statement.value)
            if value is not None:
                constants[ast.unparse(statement.targets[0])] = value
        elif isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            keys |= _arguments(statement)
        elif not isinstance(statement, ast.Expr):
            return None  # a method changes what files are read, or how
    metainfo = constants.get("METAINFO", {})
    if not isinstance(metainfo, Mapping):
        return None
    for key in ("classes", "palette"):
        value = metainfo.get(key, constants.get(key.upper()))
        if isinstance(value, (list, tuple)):
            keys.setdefault("metainfo", {})[key] = list(value)
    return keys if "classes" in keys.get("metainfo", {}) else None


def _arguments(function: ast.FunctionDef) -> dict[str, Any]:
    """The defaults of arguments that we know, and what `super().__init__` is given."""
    arguments = function.args
    named = [a.arg for a in arguments.args][-len(arguments.defaults) or None :]
    pairs = list(zip(named, arguments.defaults, strict=False))
    pairs += [(a.arg, d) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults)]
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".__init__"):
            pairs += [(keyword.arg, keyword.value) for keyword in node.keywords]
    literals = ((name, _literal(value)) for name, value in pairs if name in _ARGUMENTS)
    return {name: value for name, value in literals if value is not None}


def _literal(node: ast.expr | None) -> Any:
    """The value of a literal, `dict(...)` included; None of anything else."""
    if (
        isinstance(node, ast.Call)
        and ast.unparse(node.func) == "dict"
        and not node.args
    ):
        values = {k.arg: _literal(k.value) for k in node.keywords if k.arg is not None}
        return None if None in values.values() else values
    try:
        return None if node is None else ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None

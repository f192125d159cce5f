"""Config files: which of them are programs, and are run, and which are data.

A `.py` file is run if it has a `get_config` and lies in the current directory or below,
or if it is named as a program, `FILE.py:` or `FILE.py:ARGUMENT`. Every other file is
read as data.
"""

import ast
import pathlib
from collections.abc import Mapping
from typing import Any

from jaxseg.config import ConfigError
from jaxseg.mmseg_config.reader.limits import MAX_FILE_BYTES

Source = str | pathlib.Path | Mapping[str, Any]

# Variables that say that a file is a config of mmseg, of either line.
_OF_MMSEG = ("_base_", "model", "data", "train_dataloader", "optim_wrapper")


def is_named_as_program(source: Source) -> bool:
    """Whether a source is `FILE.py:` or `FILE.py:ARGUMENT`."""
    return not isinstance(source, Mapping) and ".py:" in str(source)


def is_mmseg_config(source: Source) -> bool:
    """Whether a source is a `.py` file to be read as data; it is parsed, not run.

    Raises:
        ConfigError: if it is a program that nobody has asked to run, or has the
            variables of mmseg's configs beside a get_config().
    """
    path = None if isinstance(source, Mapping) else pathlib.Path(source)
    if path is None or path.suffix != ".py" or not path.is_file():
        return False
    names = _top_level_names(path)
    if "get_config" in names:
        _check_may_run(path, names)
        return False
    if "get_cfg" in names:
        raise ConfigError(
            f"{path}: has a get_cfg(); the function that returns a config is called "
            "get_config()"
        )
    return True


def _check_may_run(path, names):
    as_program = (
        f"it is run where it is named as a program, with a colon behind: {path}:"
    )
    found = [name for name in _OF_MMSEG if name in names]
    if found:
        raise ConfigError(
            f"{path}: sets {', '.join(found)}, as a config of mmseg does, and has a "
            f"get_config() besides. It is read as data without get_config; {as_program}"
        )
    folder = pathlib.Path.cwd().resolve()
    if not path.resolve().is_relative_to(folder):
        raise ConfigError(
            f"{path}: is a program, with get_config(), outside of the current "
            f"directory {folder}; {as_program}"
        )


def _top_level_names(path):
    """The names that a file binds outside functions, or none of what is no Python."""
    # What cannot be parsed is left to the reader of mmseg's files, which has limits
    # and says what is wrong.
    if path.stat().st_size > MAX_FILE_BYTES:
        return set()
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return set()
    return set().union(*map(_names, tree.body))


def _names(statement: ast.stmt) -> set[str]:
    """The names that a statement at the top of a file binds, in the usual ways."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {statement.name}
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {alias.asname or alias.name for alias in statement.names}
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    return {target.id for target in targets if isinstance(target, ast.Name)}

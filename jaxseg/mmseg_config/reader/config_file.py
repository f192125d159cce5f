"""Config files: where they may lie, and their text."""

import codecs
import os
import pathlib
import stat
from typing import Any

from jaxseg.config import ConfigError
from jaxseg.mmseg_config.reader.limits import MAX_FILE_BYTES
from jaxseg.mmseg_config.reader.module_files import (
    CONFIGS_VARIABLE,
    find_configs,
    find_module_file,
)

MAX_PATH = 1000  # characters
_HOW_TO_NAME = (
    "mmseg's own configs are those of the installed mmsegmentation, or of the folder "
    f"that the environment variable {CONFIGS_VARIABLE} names"
)


def base_path(base: Any, path: str, where: str) -> str:
    """The absolute path of a base.

    Args:
        base: an entry of `_base_`.
        path: the absolute path of the file that names it.
        where: file and line, for messages.

    Raises:
        ConfigError: unless it is the path of a file, absolute, relative to the one
            that names it, or after `mmseg::`.
    """
    allowed = "allowed: the path of a .py or .json file, absolute or from this file on"
    if not isinstance(base, str):
        raise ConfigError(f"{where}: holds a {type(base).__name__}; {allowed}")
    shown = base[:200]
    if len(base) > MAX_PATH:
        raise ConfigError(f"{where}: a path of {len(base)} characters; {allowed}")
    if "://" in base:
        raise ConfigError(f"{where}: {shown!r} is a URL; {allowed}")
    if base.startswith("~"):
        raise ConfigError(f"{where}: {shown!r}: `~` stands for no folder; {allowed}")
    if os.path.isabs(base):
        return os.path.normpath(base)
    package, scope, inside = base.rpartition("::")
    folder = find_configs(package) if scope else os.path.dirname(path)
    if folder is None:
        raise ConfigError(f"{where}: {shown!r} is of another package; {_HOW_TO_NAME}")
    if scope:
        base = inside
    # `..` is resolved on the text, as mmengine does, not through links.
    target = os.path.normpath(os.path.join(folder, base))
    shared = os.path.commonpath([folder, target])
    try:
        root, real = os.path.realpath(shared), os.path.realpath(target)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{where}: {shown!r}: {error}") from error
    if os.path.commonpath([root, real]) != root:
        raise ConfigError(
            f"{where}: {shown!r} is a link to {real}, out of {shared}; name the file "
            "itself"
        )
    return target


def module_path(module: str, path: str, where: str) -> str:
    """The absolute path of a base that `with read_base():` imports.

    Args:
        module: `.x` or `..models.x`, relative to the file; or `package.configs.x`.
        path: the absolute path of the file that names it.
        where: file and line, for messages.

    Raises:
        ConfigError: if there is no such config file.
    """
    name = module.lstrip(".")
    up = len(module) - len(name)
    if up:
        folder = pathlib.Path(path).parent
        for _ in range(up - 1):
            folder = folder.parent
        return str(folder.joinpath(*name.split("."))) + ".py"
    # A module without dots is no config, but a package; so in mmengine.
    found = find_module_file(name, os.path.dirname(path)) if "." in name else None
    if found is None and name.startswith("mmseg.configs."):
        root = find_configs("mmseg")
        inside = name.removeprefix("mmseg.configs.").split(".")
        found = root and os.path.join(root, *inside) + ".py"
    if found is None:
        raise ConfigError(
            f"{where}: the config {module} is not there, beside this file, in the "
            f"current directory or on the Python path; {_HOW_TO_NAME}"
        )
    return found


def read_config_file(path: str, name: str) -> str:
    """The text of a config file.

    Args:
        path: its absolute path.
        name: what messages call it.

    Raises:
        ConfigError: unless it is a readable text of a size that a config may have.
    """
    if os.path.splitext(path)[1] not in (".py", ".json"):
        raise ConfigError(f"{name}: allowed: a .py or .json file")
    try:
        # Before it is opened: a pipe would wait for its writer.
        is_regular = stat.S_ISREG(os.stat(path).st_mode)
        data = b""
        if is_regular:
            with open(path, "rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError as error:
        raise ConfigError(f"{name}: there is no such file") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{name}: cannot be read: {error}") from error
    if not is_regular:
        raise ConfigError(f"{name}: is no regular file")
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError(f"{name}: larger than {MAX_FILE_BYTES:,} bytes")
    try:
        return data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(f"{name}:{line}: no UTF-8: {error}") from error

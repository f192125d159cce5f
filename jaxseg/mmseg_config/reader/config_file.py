"""Where the files of a config may lie, and their text."""

import os
import stat
from typing import Any

from jaxseg.config import ConfigError
from jaxseg.mmseg_config.reader.limits import MAX_FILE_BYTES

MAX_PATH = 1000  # characters
MAX_CLIMB = 5  # folders up from a file; mmsegmentation's own projects climb 4


def base_path(base: Any, path: str, where: str) -> str:
    """The absolute path of a base.

    Args:
        base: an entry of `_base_`.
        path: the absolute path of the file that names it.
        where: file and line, for messages.

    Raises:
        ConfigError: unless it is a relative path of a file among the configs.
    """
    allowed = "allowed: the path of a .py or .json file, relative to this file"
    if not isinstance(base, str):
        raise ConfigError(f"{where}: holds a {type(base).__name__}; {allowed}")
    shown = base[:200]
    if len(base) > MAX_PATH:
        raise ConfigError(f"{where}: a path of {len(base)} characters; {allowed}")
    if "://" in base:
        raise ConfigError(f"{where}: {shown!r} is a URL; {allowed}")
    if "::" in base:
        raise ConfigError(f"{where}: {shown!r} is of another package; {allowed}")
    if os.path.isabs(base) or base.startswith("~"):
        raise ConfigError(f"{where}: {shown!r} is absolute; {allowed}")
    folder = os.path.dirname(path)
    # `..` is resolved on the text, as mmengine does, not through links.
    target = os.path.normpath(os.path.join(folder, base))
    shared = os.path.commonpath([folder, target])
    if os.path.normpath(base).split(os.sep).count(os.pardir) > MAX_CLIMB:
        raise ConfigError(f"{where}: {shown!r} climbs more than {MAX_CLIMB} folders")
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
        return data.decode()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(f"{name}:{line}: no UTF-8: {error}") from error

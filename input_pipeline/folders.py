"""Folders of files: every name below one, links followed, loops not."""

import collections
import os
from collections.abc import Callable

from input_pipeline.errors import DataError
from input_pipeline.watchdog import watched_map

# Paths by which links may lead to one folder.
_MOST_PATHS = 100


def files_below(folder: str) -> list[str]:
    """The files at any depth, hidden ones aside, as sorted paths relative to a folder.

    Links to folders are followed, as data often lies on another disk; one that leads
    back to a folder it lies in is not.

    Raises:
        DataError: a folder that does not exist, cannot be listed, gives no answer, or
            is reached by too many paths.
    """
    return watched_map(_walk, [folder])[0]


def _walk(top: str, touch: Callable[[str], None]) -> list[str]:
    names = []
    paths = collections.Counter()
    left = [("", ())]  # folders to list, and those that each lies in
    while left:
        inner, above = left.pop()
        path = os.path.join(top, inner)
        touch(path)
        try:
            status = os.stat(path)
            with os.scandir(path) as listing:
                entries = list(listing)
        except OSError as error:
            raise DataError(
                f"{path}: the folder cannot be listed ({error.strerror})."
            ) from error
        this = status.st_dev, status.st_ino
        if this in above:
            continue
        paths[this] += 1
        if paths[this] > _MOST_PATHS:
            raise DataError(
                f"{path}: links lead to this folder by more than {_MOST_PATHS} paths "
                f"below {top}; remove some."
            )
        for entry in entries:
            if entry.name.startswith("."):
                continue
            name = os.path.join(inner, entry.name)
            if _is_folder(entry):
                left.append((name, (*above, this)))
            else:
                names.append(name)
    return sorted(names)


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False

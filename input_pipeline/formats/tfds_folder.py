"""TFDS: the folder of a prepared data set, and what its files say it is made of.

TFDS imports the class that a `features.json` names. Files of data are no reason to
import anything, so they are read here first, and only TFDS's own classes pass.
"""

import json
import os
import re
from collections.abc import Iterator
from typing import Any

from input_pipeline.errors import DataError
from input_pipeline.formats.files import read_bytes

FEATURES = "features.json"

_NAME = re.compile(r"(\w+)(?:/([\w.+-]+))?(?::(\d+\.\d+\.\d+))?")
_VERSION = re.compile(r"\d+\.\d+\.\d+")
# Keys under which a features.json names classes, of today's format and the earlier one.
_CLASS_KEYS = ("pythonClassName", "python_class_name", "type")


def find_folder(name: str, data_dir: str) -> str:
    """The folder with the files of a data set, of its newest version if none is said.

    Args:
        name: 'NAME', 'NAME/CONFIG', 'NAME:1.0.0' or 'NAME/CONFIG:1.0.0'.
        data_dir: where TFDS keeps its data.

    Raises:
        DataError: no such data set there, or one of several configs, none of which is
            named.
    """
    parts = _NAME.fullmatch(name)
    if parts is None:
        raise DataError(
            f"{name!r} is no name of a TFDS data set; it is NAME, NAME/CONFIG, "
            "NAME:1.0.0 or NAME/CONFIG:1.0.0."
        )
    base, config, version = parts.groups()
    base = os.path.join(data_dir, base)
    for folder in [os.path.join(base, config)] if config else [base]:
        versions = _versions(folder)
        if versions and (version is None or version in versions):
            return os.path.join(folder, version or versions[-1])
    configs = [c for c in _folders(base) if _versions(os.path.join(base, c))]
    if not config and len(configs) == 1:
        return find_folder(
            f"{name.partition(':')[0]}/{configs[0]}"
            + (f":{version}" if version else ""),
            data_dir,
        )
    held = ""
    if configs:
        held = f" It has the configs {configs}: name one, as in NAME/CONFIG."
    elif _versions(base):
        held = f" It has the versions {_versions(base)}."
    raise DataError(f"Dataset {name} not found in {data_dir}.{held}")


def _folders(folder: str) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    except OSError:
        return []


def _versions(folder: str) -> list[str]:
    """Folders of versions that can be read, the newest last."""
    found = [
        name
        for name in _folders(folder)
        if _VERSION.fullmatch(name)
        and os.path.exists(os.path.join(folder, name, FEATURES))
    ]
    return sorted(found, key=lambda name: tuple(map(int, name.split("."))))


def check_features(folder: str, allowed: set[str]):
    """Refuses a data set whose features are of classes that TFDS itself does not have.

    Args:
        folder: with a features.json.
        allowed: full names of classes.

    Raises:
        DataError: another class, or no JSON.
    """
    path = os.path.join(folder, FEATURES)
    try:
        named = set(_classes(json.loads(read_bytes(path))))
    except DataError:
        raise
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not a description of features ({error}).") from error
    foreign = sorted(named - allowed)
    if foreign:
        raise DataError(
            f"{path}: it names the class {foreign[0][:80]!r}, which would be imported; "
            "allowed are the classes of tensorflow_datasets.features."
        )


def _classes(value: Any) -> Iterator[str]:
    """Every class that is named; also in JSON that stands in a text of JSON."""
    if isinstance(value, list):
        for child in value:
            yield from _classes(child)
    elif isinstance(value, dict):
        for key, child in value.items():
            if key in _CLASS_KEYS and isinstance(child, str):
                yield child
            else:
                yield from _classes(child)
    elif isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            inner = json.loads(value)
        except ValueError:
            return  # a description, for instance
        yield from _classes(inner)

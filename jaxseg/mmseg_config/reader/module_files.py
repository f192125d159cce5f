"""Module files: where a Python module or a package's config lies, without an import."""

import importlib.util
import os
import pathlib
import sys

CONFIGS_VARIABLE = "JAXSEG_MMSEG_CONFIGS"


def find_module_file(name: str, folder: str) -> str | None:
    """The file of a module.

    Args:
        name: in full, `package.module`.
        folder: the folder of the config that names it; a package may lie there or in a
            folder above.

    Returns:
        The path of `module.py` or of the package's `__init__.py`, looked for beside
        the config, in the current directory and on the Python path; None if there is
        none.
    """
    parts = name.split(".")
    if not all(part.isidentifier() for part in parts):
        return None
    above = [folder, *pathlib.Path(folder).parents]
    for root in (*above, os.curdir, *sys.path):
        path = os.path.join(root, *parts)
        for candidate in (f"{path}.py", os.path.join(path, "__init__.py")):
            if os.path.isfile(candidate):
                return os.path.abspath(candidate)
    return None


def find_configs(package: str) -> str | None:
    """The folder that `package::` stands for in a `_base_`.

    It is the one that the environment variable JAXSEG_MMSEG_CONFIGS names, or that of
    the configs in the installed wheel, `mmseg/.mim/configs`.

    Returns:
        None if there is no such folder; only mmseg has one.
    """
    if package != "mmseg":
        return None
    named = os.environ.get(CONFIGS_VARIABLE)
    if named:
        return os.path.abspath(named)
    # A name without dots is found without importing anything.
    spec = importlib.util.find_spec(package)
    for root in (spec and spec.submodule_search_locations) or ():
        folder = os.path.join(root, ".mim", "configs")
        if os.path.isdir(folder):
            return folder
    return None

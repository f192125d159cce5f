"""Any config that a user has: jaxseg's own, or an unmodified one of mmseg."""

import ast
import logging
import pathlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jaxseg.config import TOP_LEVEL, load, override
from jaxseg.mmseg_config.reader.inherit import read
from jaxseg.mmseg_config.reader.limits import MAX_FILE_BYTES
from jaxseg.mmseg_config.translate import require, translate
from jaxseg.resolve import import_custom, is_registered

_log = logging.getLogger("jaxseg")

# What of a config something needs; None is all of it.
EVALUATION = ("model", "val_dataloader", "val_evaluator", "tta")
INFERENCE = ("model", "val_dataloader.dataset.pipeline")


def load_config(
    source: str | pathlib.Path | Mapping[str, Any],
    needs: Sequence[str] | None = None,
    overrides: Iterable[tuple[str, Any]] = (),
) -> dict[str, Any]:
    """Reads a config of ours or of mmseg.

    Args:
        source: what `jaxseg.config.load` takes; or any other `.py` file, which is read
            as a config of mmseg 0.x or 1.x and not executed.
        needs: the parts that are wanted, such as `INFERENCE`; None wants all. What
            jaxseg lacks for other parts of an mmseg config is left out.
        overrides: (path, value) pairs, as `jaxseg.config.override` takes them. One
            can put another type where jaxseg lacks one, or name a module in
            `custom_imports` that registers it.

    Returns:
        A config in our vocabulary. What of an mmseg config has no effect is logged.

    Raises:
        ConfigError: if the file cannot be used; of an mmseg config it names all that
            jaxseg lacks for the parts that are wanted.
    """
    if is_mmseg_config(source):
        config = import_mmseg_config(source)
    else:
        config = load(source)
    overrides = list(overrides)
    override(config, overrides)
    import_custom(config)
    missing = [
        (path, name)
        for path, name in config.pop("missing", [])
        if not is_registered(name) and not _is_replaced(path, overrides)
    ]
    name = "config" if isinstance(source, Mapping) else str(source)
    for note in config.pop("notes", []):
        if _concerns(note, needs):
            _log.info("%s: %s", name, note)
    require(missing, needs, name)
    for path, _ in missing:
        _leave_out(config, path)
    return config


def import_mmseg_config(path: str | pathlib.Path) -> dict[str, Any]:
    """Reads and translates an mmseg config.

    Returns:
        A config in our vocabulary. Its `missing` lists what jaxseg lacks, its `notes`
        what has no effect; `load_config` decides what of them matters.

    Raises:
        ConfigError: if the file cannot be read.
    """
    translation = translate(read(path), path)
    missing = [list(entry) for entry in translation.missing]
    return translation.config | {"missing": missing, "notes": translation.notes}


def is_mmseg_config(source: str | pathlib.Path | Mapping[str, Any]) -> bool:
    """Whether a source is a `.py` file without a `get_config`; it is parsed, not run."""
    path = None if isinstance(source, Mapping) else pathlib.Path(source)
    if path is None or path.suffix != ".py" or not path.is_file():
        return False
    # What cannot be parsed is left to the reader of mmseg's files, which has limits
    # and says what is wrong.
    if path.stat().st_size > MAX_FILE_BYTES:
        return True
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return True
    return "get_config" not in set().union(*map(_names, tree.body))


def _names(statement: ast.stmt) -> set[str]:
    """The names that a statement at the top of a file binds, in the usual ways."""
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return {statement.name}
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {alias.asname or alias.name for alias in statement.names}
    targets = getattr(statement, "targets", [])
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _concerns(note, needs):
    """Whether a note is about a part that is wanted, or about no part of our config."""
    part = re.match(r"\w*", note)[0]
    wanted = [need.partition(".")[0] for need in needs or TOP_LEVEL]
    return part in wanted or part not in TOP_LEVEL


def _is_replaced(path, overrides):
    """Whether an override puts something else where jaxseg lacks something."""
    return any(
        key == f"{path}.type" or f"{path}.".startswith(f"{key}.")
        for key, _ in overrides
    )


def _leave_out(config, path):
    """Takes out what cannot be built, and is not needed.

    Of a validation data set of an unknown type the pipeline stays: it is the one that
    images go through at inference.
    """
    part, _, rest = path.partition(".")
    if part != "val_dataloader":
        config.pop(part, None)
    elif not rest.startswith("dataset.pipeline"):
        dataset = config.get(part, {}).get("dataset", {})
        while "dataset" in dataset or "datasets" in dataset:
            dataset = dataset.get("dataset") or dataset["datasets"][0]
        config[part] = {"dataset": {k: v for k, v in dataset.items() if k != "type"}}

"""Loading of configs: jaxseg's own, or an unmodified one of mmseg."""

import logging
import pathlib
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jaxseg.config import TOP_LEVEL, ConfigError, MmsegPath, load, override
from jaxseg.config_source import Source, is_mmseg_config, is_named_as_program
from jaxseg.mmseg_config.options import with_options
from jaxseg.mmseg_config.reader.inherit import read
from jaxseg.mmseg_config.translate import require, translate
from jaxseg.registry import custom_imports, import_custom, is_registered

_log = logging.getLogger("jaxseg")

# What of a config something needs. A training needs no data of a test.
TRAINING = tuple(key for key in TOP_LEVEL if not key.startswith("test_"))
EVALUATION = ("model", "val_dataloader", "val_evaluator", "tta")
TEST = ("model", "test_dataloader", "val_evaluator", "test_evaluator", "tta")
INFERENCE = ("model", "val_dataloader.dataset.pipeline")


def load_config(
    source: Source,
    needs: Sequence[str] | None = None,
    overrides: Iterable[tuple[str, Any]] = (),
    name: str | None = None,
) -> dict[str, Any]:
    """Reads a config of ours or of mmseg.

    Args:
        source: what `jaxseg.config.load` takes; or a `.py` file without get_config(),
            which is read as a config of mmseg 0.x or 1.x and not run. A `.py` file
            with get_config() is run if it lies in the current directory or below, or
            is named as a program: `FILE.py:`, `FILE.py:ARGUMENT`.
        needs: the parts that are wanted, such as `INFERENCE`; None wants those of
            `TRAINING`. What jaxseg lacks for other parts of an mmseg config is left
            out.
        overrides: (path, value) pairs, as `jaxseg.config.override` takes them. One
            can put another type where jaxseg lacks one, or name a module in
            `custom_imports` that registers it. Of a config of mmseg a path that begins
            with none of our keys (`TOP_LEVEL`), or is an `MmsegPath`, is one of the
            config as it is written, and is set before the translation.
        name: what messages call a dict, such as the checkpoint that it comes from.

    Returns:
        A config in our vocabulary. What of an mmseg config has no effect is logged.

    Raises:
        ConfigError: if the file cannot be used, or is a program that nobody has asked
            to run; of an mmseg config it names all that jaxseg lacks for the parts
            that are wanted.
    """
    needs = TRAINING if needs is None else needs
    if name is None:
        name = "config" if isinstance(source, Mapping) else str(source)
    is_program = is_named_as_program(source)
    overrides = list(overrides)
    if is_mmseg_config(source):
        options = [pair for pair in overrides if _is_of_mmseg(pair[0])]
        overrides = [pair for pair in overrides if not _is_of_mmseg(pair[0])]
        config = import_mmseg_config(source, options)
    else:
        _refuse_options(overrides, name)
        if not isinstance(source, Mapping):
            is_program = is_program or pathlib.Path(source).suffix == ".py"
        config = load(source)
    override(config, overrides)
    asked = {"custom_imports", "custom_imports.imports"} & {key for key, _ in overrides}
    _check_imports(config, is_program or asked, name)
    import_custom(config)
    missing = [
        (path, name)
        for path, name in config.pop("missing", [])
        if not is_registered(name) and not _is_replaced(path, overrides)
    ]
    for note in config.pop("notes", []):
        if _concerns(note, needs):
            _log.info("%s: %s", name, note)
    require(missing, needs, name)
    for path, _ in missing:
        _leave_out(config, path)
    return config


def import_mmseg_config(
    path: str | pathlib.Path, options: Iterable[tuple[str, Any]] = ()
) -> dict[str, Any]:
    """Reads and translates an mmseg config.

    Args:
        path: its file.
        options: (path, value) pairs that are set before the translation.

    Returns:
        A config in our vocabulary. Its `missing` lists what jaxseg lacks, its `notes`
        what has no effect; `load_config` decides what of them matters.

    Raises:
        ConfigError: if the file cannot be read, or an option not be set.
    """
    raw = with_options(read(path), options, str(path))
    translation = translate(raw, path)
    missing = [list(entry) for entry in translation.missing]
    return translation.config | {"missing": missing, "notes": translation.notes}


def _is_of_mmseg(path):
    return isinstance(path, MmsegPath) or path.partition(".")[0] not in TOP_LEVEL


def _refuse_options(overrides, name):
    for path, _ in overrides:
        if isinstance(path, MmsegPath):
            raise ConfigError(
                f"--cfg-options {path}: it is for configs of mmseg, and {name} is none; "
                "--config.PATH=VALUE replaces a value"
            )


def _check_imports(config, are_asked_for, name):
    """Refuses to import what a file that is data names."""
    names = custom_imports(config)
    if are_asked_for or all(module in sys.modules for module in names):
        return
    raise ConfigError(
        f"{name}: custom_imports names the modules {names}, and no file that is data "
        f"imports anything: --config.custom_imports.imports={names} does, beside "
        "--config=FILE; --config.custom_imports=None goes on without; and a Python "
        "program imports them before"
    )


def _concerns(note, needs):
    """Whether a note is about a part that is wanted, or about no part of our config."""
    part = re.match(r"\w*", note)[0]
    wanted = [need.partition(".")[0] for need in needs]
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

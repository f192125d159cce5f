"""Configs: nested dicts from a file, with overrides from the command line."""

import argparse
import ast
import copy
import difflib
import importlib.util
import json
import logging
import pathlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jaxseg.errors import JaxsegError

_log = logging.getLogger("jaxseg")

# The keys of a whole config; docs/config.md says what each one holds.
TOP_LEVEL = (
    "model",
    "train_dataloader",
    "val_dataloader",
    "val_evaluator",
    "test_dataloader",
    "test_evaluator",
    "optim_wrapper",
    "param_scheduler",
    "train_cfg",
    "default_hooks",
    "custom_hooks",
    "randomness",
    "load_from",
    "adapt_in_channels",
    "resume",
    "resume_from",
    "mesh",
    "xla_flags",
    "ema",
    "tta",
    "custom_imports",
    "dataset_meta",
    "missing",
    "notes",
)


# Dicts without a `type` whose keys are checked all the same when they are built.
_CHECKED = (
    "train_dataloader",
    "val_dataloader",
    "val_evaluator",
    "test_dataloader",
    "test_evaluator",
    "optim_wrapper",
    "train_cfg",
    "default_hooks",
    "default_hooks.checkpoint",
    "default_hooks.logger",
    "randomness",
    "mesh",
    "xla_flags",
    "ema",
    "tta",
)


MAX_DEPTH = 60  # of dicts and lists inside each other; a model has about 6


class ConfigError(JaxsegError, ValueError):
    """A config that cannot be used; the message names the path inside it."""


def nearest(name: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)` of the known name that is nearest, or nothing."""
    matches = difflib.get_close_matches(str(name), [str(k) for k in known], n=1)
    return f" (did you mean {matches[0]!r}?)" if matches else ""


def parse_arguments(
    parser: argparse.ArgumentParser, arguments: Sequence[str]
) -> tuple[argparse.Namespace, list[tuple[str, Any]]]:
    """Reads a command line that also replaces values of a config.

    Args:
        parser: what takes all but `--config.PATH=VALUE`; it ends the process for
            anything else.
        arguments: without the program's name.

    Returns:
        The parser's options, and (path, value) of each replacement.
    """
    try:
        overrides, rest = split_overrides(arguments)
    except ConfigError as error:
        parser.error(str(error))
    options, unknown = parser.parse_known_args(rest)
    if unknown:
        parser.error(
            f"unknown argument {unknown[0]}; single values of the config "
            "are replaced by --config.PATH=VALUE"
        )
    return options, overrides


class MmsegPath(str):
    """A path in mmseg's own config: it is set there before the translation."""

    __slots__ = ()


def split_overrides(
    arguments: Iterable[str],
) -> tuple[list[tuple[str, Any]], list[str]]:
    """Takes what replaces values of a config out of a command line.

    That is `--config.PATH=VALUE`, `--config.PATH VALUE`, and as in mmseg's own tools
    `--cfg-options PATH=VALUE PATH=VALUE`.

    Returns:
        (path, value) of each, those of `--cfg-options` being MmsegPath; and the other
        arguments.

    Raises:
        ConfigError: if one has no value.
    """
    overrides, rest = [], []
    remaining, is_option = iter(arguments), False
    for argument in remaining:
        is_option = is_option and not argument.startswith("-")
        if is_option:
            name, equals, value = argument.partition("=")
            if not equals:
                raise ConfigError(f"--cfg-options takes PATH=VALUE, found {argument!r}")
            overrides.append((MmsegPath(name), parse_option(value)))
            continue
        is_option = argument == "--cfg-options"
        if is_option:
            continue
        if not argument.startswith("--config."):
            rest.append(argument)
            continue
        name, equals, value = argument.partition("=")
        if not equals:
            value = next(remaining, "--")
            if value.startswith("--"):
                raise ConfigError(f"{name} needs a value: {name}=VALUE")
        overrides.append((name.removeprefix("--config."), parse_value(value)))
    return overrides, rest


def load(source: str | pathlib.Path | Mapping[str, Any]) -> dict[str, Any]:
    """Reads a config.

    Args:
        source: a dict; a `.json` file such as a work directory's config.json; or a
            `.py` file with `get_config()`, or `file.py:arg` for `get_config(arg)`. A
            `.py` file is a program and is run, wherever it lies; `load_config` asks
            first whether it may be.

    Returns:
        A dict of its own, with lists in place of tuples.

    Raises:
        ConfigError: if the file is missing or is no config.
    """
    if isinstance(source, Mapping):
        config = source
    else:
        config = _read(str(source))
    _check_depth(config, _origin(source))
    config = plain(config)
    unknown = [key for key in config if key not in TOP_LEVEL]
    if unknown:
        raise ConfigError(
            f"{_origin(source)}: {unknown[0]!r} is no key of a config"
            f"{nearest(unknown[0], TOP_LEVEL)}; allowed: {', '.join(TOP_LEVEL)}"
        )
    return config


def _check_depth(config, name):
    """Refuses what cannot be walked through by functions that call themselves."""
    stack = [(config, 0)]
    while stack:
        value, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise ConfigError(
                f"{name}: more than {MAX_DEPTH} lists and dicts inside each other"
            )
        if isinstance(value, Mapping):
            stack.extend((child, depth + 1) for child in value.values())
        elif isinstance(value, (list, tuple)):
            stack.extend((child, depth + 1) for child in value)


def _origin(source):
    return "config" if isinstance(source, Mapping) else str(source)


def _read(source):
    name, _, argument = source.partition(":") if ".py:" in source else (source, "", "")
    path = pathlib.Path(name)
    if not path.is_file():
        raise ConfigError(f"{name}: there is no such config file")
    if path.suffix == ".json":
        try:
            config = json.loads(path.read_text("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{name}: not valid JSON: {error}") from error
    elif path.suffix == ".py":
        config = _run(path, argument)
    else:
        raise ConfigError(f"{name}: a config is a .py or a .json file")
    if not isinstance(config, Mapping):
        raise ConfigError(f"{name}: holds a {type(config).__name__}, not a dict")
    return config


def _run(path, argument):
    _log.info("%s: is run, as a program with get_config()", path)
    spec = importlib.util.spec_from_file_location(f"config_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    # As of a script, its own folder comes first: `import common` finds the neighbour.
    folder = str(path.parent.resolve())
    before = set(sys.modules)
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(folder)
        # Another folder may have a `common` of its own.
        for name in set(sys.modules) - before:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(folder):
                del sys.modules[name]
    if not hasattr(module, "get_config"):
        raise ConfigError(f"{path}: has no function get_config()")
    return module.get_config(argument) if argument else module.get_config()


def plain(value: Any) -> Any:
    """A deep copy in the types of JSON."""
    if isinstance(value, Mapping):
        return {str(key): plain(child) for key, child in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(child) for child in value]
    if isinstance(value, (str, int, float, type(None))):
        return value
    return copy.deepcopy(value)


def parse_value(text: str) -> Any:
    """A Python literal (`0.01`, `[1, 2]`, `None`), or else the text itself."""
    try:
        return plain(ast.literal_eval(text))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def parse_option(text: str) -> Any:
    """A value of `--cfg-options`, as mmengine reads it.

    Beside Python's literals these are `true`, `none`, and lists without brackets or
    quotes, `512,1024` and `[mIoU,mDice]`.
    """
    word = {"true": True, "false": False, "none": None}
    if text.lower() in word:
        return word[text.lower()]
    value = parse_value(text)
    inner = text[1:-1] if text[:1] + text[-1:] in ("[]", "()") else text
    if not isinstance(value, str) or (inner == text and "," not in text):
        return value
    # Commas inside of brackets part nothing here.
    parts, depth = [""], 0
    for letter in inner:
        depth += (letter in "[(") - (letter in "])")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [parse_option(part.strip()) for part in parts if part.strip()]


def override(config: dict[str, Any], assignments: Sequence[tuple[str, Any]]) -> None:
    """Sets values in place.

    Args:
        config: a whole config.
        assignments: (`model.backbone.depth`, value) pairs; a number in the path is
            an index of a list. A key that is not there yet may be added where it
            is checked when its dict is built: at the top level, to a dict with a
            `type`, and to parts such as train_cfg.

    Raises:
        ConfigError: for a path that does not exist, naming the nearest one.
    """
    for path, value in assignments:
        *parents, last = path.split(".")
        node = config
        for i, part in enumerate(parents):
            at = ".".join(parents[:i])
            is_part = isinstance(node, dict) and f"{at}.{part}".lstrip(".") in _CHECKED
            if is_part and node.get(part) is None:
                node[part] = {}
            node = node[_key(node, part, at)]
        at = ".".join(parents)
        if isinstance(node, dict) and last not in node and _may_add(node, at, last):
            node[last] = value
        else:
            node[_key(node, last, at)] = value


def _may_add(node, at, key):
    return key in TOP_LEVEL if not at else "type" in node or at in _CHECKED


def _key(node, part, at):
    where = f"config.{at}" if at else "config"
    if isinstance(node, list):
        if part.lstrip("-").isdigit() and -len(node) <= int(part) < len(node):
            return int(part)
        raise ConfigError(
            f"{where} is a list of {len(node)}: {part!r} is no index of it"
        )
    if not isinstance(node, dict):
        raise ConfigError(f"{where} is {node!r}: it holds no {part!r}")
    if part not in node:
        raise ConfigError(
            f"{where} has no key {part!r}{nearest(part, node)}; it has "
            f"{', '.join(node)}"
        )
    return part

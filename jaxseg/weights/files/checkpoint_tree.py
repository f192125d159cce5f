"""Checkpoint trees: where a file of any program holds weights, and what it says."""

import collections
import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxseg.weights.files.mapped_file import CheckpointFileError, shown
from jaxseg.weights.files.pickle_names import Inert

_log = logging.getLogger("jaxseg")

# mmseg's and mmpretrain's order; then what others call it. A moving average is taken
# where a file has nothing else.
_USUAL = ("state_dict", "model", "module")
_NAMES = (
    *_USUAL,
    "model_state_dict",
    "model_state",
    "net",
    "network",
    "params",
    "weights",
    "teacher",
    "state_dict_ema",
    "model_ema",
    "ema",
)
_MAX_DEPTH = 3
_SCALARS = (str, int, float, bool)


def state_dict_of(tree: Any) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The weights in an object that was saved, and its plain meta data.

    They are looked for under the names that programs give them, then on top, then in
    the one dict of arrays that there is.

    Args:
        tree: from `read_pth`.

    Returns:
        state_dict: arrays by key, without what wrappers of modules put into keys
            (`unwrapped`). What is no array is left out, and that is logged.
        meta: `classes` (names), `palette` (RGB lists), `config` (its text), `iter`,
            `epoch`, as far as they are known, and other single values of mmengine's
            and mmcv's `meta`.

    Raises:
        CheckpointFileError: if there are no weights, or several dicts that might be.
    """
    if type(tree) is not dict:
        raise CheckpointFileError(f"holds {shown(tree)}, not a dict of weights")
    path, weights = _find_weights(tree)
    if path and path[-1] not in _USUAL:
        _log.info("the weights are those under %s", ".".join(path))
    state_dict, others = {}, []
    for key, value in weights.items():
        if type(value) is not np.ndarray:
            others.append(shown(key))
            continue
        if type(key) is not str:
            raise CheckpointFileError(f"holds an array under {shown(key)}, no text")
        key = unwrapped(key)
        if key in state_dict:
            raise CheckpointFileError(
                f"holds {shown(key)} with and without 'module.' or '_orig_mod.'"
            )
        state_dict[key] = value
    if others:
        more = f" and {len(others) - 10} more" if len(others) > 10 else ""
        _log.info("no arrays, left out: %s%s", ", ".join(others[:10]), more)
    return state_dict, plain_meta(tree.get("meta") if path else None)


def _find_weights(tree):
    """(names on the way, dict with arrays)"""
    found = _named_weights(tree, _MAX_DEPTH)
    if found is not None:
        return found
    if _has_arrays(tree):
        return (), tree
    others = [name for name, value in tree.items() if _has_arrays(_items(value))]
    if len(others) == 1:
        return (str(others[0]),), _items(tree[others[0]])
    if others:
        raise CheckpointFileError(
            f"holds weights under {', '.join(map(shown, others[:10]))}: save one of "
            f"them alone, or under one of the names {', '.join(_NAMES)}"
        )
    if not tree:
        raise CheckpointFileError("holds no weights")
    _refuse(tree)


def _named_weights(tree, depth):
    for name in _NAMES:
        value = _items(tree.get(name))
        if value is None or not depth:
            continue
        inside = _named_weights(value, depth - 1)
        if inside is not None:
            return (name, *inside[0]), inside[1]
        if _has_arrays(value):
            return (name,), value
    return None


def _items(value):
    """A dict; of an object whose class is one, its items; None of anything else."""
    value = value.items if type(value) is Inert else value
    return value if type(value) is dict else None


def _has_arrays(value):
    return value is not None and any(
        type(v) is np.ndarray and type(k) is str for k, v in value.items()
    )


def _refuse(tree):
    """Says what a file without any weights has in their place."""
    name = next((n for n in _NAMES if n in tree), None)
    value, where = (tree, "the file") if name is None else (tree[name], repr(name))
    if type(value) is dict and value:
        key, inside = next(iter(value.items()))
        what = f"{shown(inside)} under {shown(key)}"
    else:
        what = f"{value.name}" if type(value) is Inert else shown(value)
    raise CheckpointFileError(
        f"{where} holds {what}, where arrays belong; weights are looked for under "
        f"{', '.join(_NAMES)}, or on top"
    )


def unwrapped(key: str) -> str:
    """A key without what torch's wrappers of modules put into it.

    That is a leading 'module.' of DataParallel and AveragedModel, and the '_orig_mod.'
    of torch.compile, which may stand before any module.
    """
    key = key.replace("_orig_mod.", "")
    while key.startswith("module."):
        key = key.removeprefix("module.")
    return key


def plain_meta(meta: Any) -> dict[str, Any]:
    """The classes, palette, config and single values of a file's meta data.

    Raises:
        CheckpointFileError: for classes that are no names, or colours that are none.
    """
    if type(meta) is not dict:
        return {}
    # mmseg 0.x wrote CLASSES, PALETTE and config; 1.x a dict and cfg.
    dataset = meta.get("dataset_meta")
    known = dataset if type(dataset) is dict else meta
    known = {str(name).lower(): value for name, value in known.items()}
    plain = {k: v for k, v in meta.items() if type(k) is str and type(v) in _SCALARS}
    if "cfg" in plain:
        plain["config"] = plain.pop("cfg")
    if known.get("classes") is not None:
        plain["classes"] = _classes(known["classes"])
    if known.get("palette") is not None:
        plain["palette"] = _palette(known["palette"])
    return plain


def _classes(value):
    if type(value) not in (list, tuple) or not all(type(c) is str for c in value):
        raise CheckpointFileError("the classes in its meta data are not names")
    return list(value)


def _palette(value):
    if not (_is_sequence(value) and all(_is_color(row) for row in value)):
        raise CheckpointFileError(
            "the palette in its meta data is no list of RGB values"
        )
    return [[int(c) for c in row] for row in value]


def _is_color(row):
    return (
        _is_sequence(row)
        and len(row) == 3
        and all(isinstance(c, int | np.integer) and 0 <= c < 256 for c in row)
    )


def _is_sequence(value):
    if type(value) is np.ndarray:
        return value.ndim > 0
    return type(value) in (list, tuple)


def tree_of(
    state_dict: Mapping[str, np.ndarray], meta: Mapping[str, Any]
) -> dict[str, Any]:
    """The object that mmengine would have saved; `state_dict_of` the other way round.

    Args:
        state_dict: arrays by key.
        meta: as `state_dict_of` gives it.
    """
    theirs = dict(meta)
    if "config" in theirs:
        theirs["cfg"] = theirs.pop("config")
    dataset = {n: theirs.pop(n) for n in ("classes", "palette") if n in theirs}
    if dataset:
        theirs["dataset_meta"] = dataset
    return {"meta": theirs, "state_dict": collections.OrderedDict(state_dict)}

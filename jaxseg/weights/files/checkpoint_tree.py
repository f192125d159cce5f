"""Where checkpoints of mmengine, mmcv and timm keep weights and what is known of them."""

import collections
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxseg.weights.files.mapped_file import CheckpointFileError, shown

# mmseg's and mmpretrain's order. `state_dict_ema` and the like are never taken for it.
_WEIGHTS = ("state_dict", "model", "module")
_SCALARS = (str, int, float, bool)


def state_dict_of(tree: Any) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The weights in an object that was saved, and its plain meta data.

    Args:
        tree: from `read_pth`.

    Returns:
        state_dict: arrays by key, without the prefix 'module.' that training on
            several GPUs leaves.
        meta: `classes` (names), `palette` (RGB lists), `config` (its text), `iter`,
            `epoch`, as far as they are known, and other single values of mmengine's
            and mmcv's `meta`.

    Raises:
        CheckpointFileError: if there are no weights, or something else among them.
    """
    if type(tree) is not dict:
        raise CheckpointFileError(f"holds {shown(tree)}, not a dict of weights")
    name = next((n for n in _WEIGHTS if type(tree.get(n)) is dict), None)
    weights = tree if name is None else tree[name]
    state_dict = {}
    for key, value in weights.items():
        if type(key) is not str or type(value) is not np.ndarray:
            where = f"{name!r}" if name else "the file"
            raise CheckpointFileError(
                f"{where} holds {shown(value)} under {shown(key)}, where only arrays "
                f"belong; the weights are looked for under {', '.join(_WEIGHTS)} or "
                "on top"
            )
        key = unwrapped(key)
        if key in state_dict:
            raise CheckpointFileError(
                f"holds {shown(key)} with and without 'module.' or '_orig_mod.'"
            )
        state_dict[key] = value
    if not state_dict:
        raise CheckpointFileError("holds no weights")
    return state_dict, plain_meta(tree.get("meta") if name else None)


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

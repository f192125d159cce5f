"""Starting from the weights of another run: `load_from`."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
from flax import traverse_util

from jaxseg.convert.names import torch_key
from jaxseg.train.checkpoint import load_weights

_log = logging.getLogger("jaxseg")


class LoadError(ValueError):
    """Weights that do not fit the model."""


def read_checkpoint(path: str) -> dict[str, Any]:
    """Reads params (the moving average, where there is one), batch_stats and config.

    Args:
        path: a work directory, its `checkpoints` folder, or one step in it. Of a
            folder the latest step is taken; with `:best` behind it the best one, by
            the config's save_best.

    Returns:
        `params`, `batch_stats`, and what `load_weights` says besides.
    """
    folder, best, _ = str(path).rpartition(":best")
    saved = load_weights(folder, "best") if best else load_weights(path)
    params = saved.pop("ema", None) or saved["params"]
    return saved | {"params": params, "batch_stats": saved.get("batch_stats", {})}


def load_from(path: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Puts the weights of a checkpoint into a fresh model.

    A classifier (`conv_seg`) of another number of classes keeps its fresh values,
    and that is logged. Any other difference is an error.

    Args:
        path: as in `read_checkpoint`.
        variables: fresh params and batch_stats of the model.

    Returns:
        The variables with the checkpoint's values.

    Raises:
        LoadError: listing every missing, unexpected and misshapen weight.
    """
    saved = read_checkpoint(path)
    _log.info("load_from: %s, step %d", saved["path"], saved["step"])
    return fit_weights(saved, variables, path, fresh_classifiers=True)


def fit_weights(
    saved: Mapping[str, Any],
    variables: Mapping[str, Any],
    source: str,
    fresh_classifiers: bool = False,
) -> dict[str, Any]:
    """The weights of `read_checkpoint` in the tree of a model.

    Args:
        saved: from `read_checkpoint`.
        variables: params and batch_stats of the model, or their shapes.
        source: where the weights are from, for errors.
        fresh_classifiers: whether a classifier of another number of classes keeps
            the values in `variables`.

    Raises:
        LoadError: listing every missing, unexpected and misshapen weight.
    """
    ours = traverse_util.flatten_dict(
        {name: variables.get(name, {}) for name in ("params", "batch_stats")}
    )
    theirs = traverse_util.flatten_dict(
        {name: saved[name] for name in ("params", "batch_stats")}
    )
    problems, fresh, result = [], [], {}
    for leaf in sorted(ours.keys() | theirs.keys()):
        key = torch_key(leaf[1:])
        if leaf not in theirs:
            problems.append(f"missing: {key}")
        elif leaf not in ours:
            problems.append(f"unexpected: {key}")
        elif ours[leaf].shape == theirs[leaf].shape:
            result[leaf] = np.asarray(theirs[leaf])
        elif (
            fresh_classifiers
            and "conv_seg" in leaf
            and ours[leaf].shape[:-1] == theirs[leaf].shape[:-1]
        ):
            fresh.append(f"{key} ({theirs[leaf].shape[-1]} -> {ours[leaf].shape[-1]})")
            result[leaf] = ours[leaf]
        else:
            problems.append(
                f"misshapen: {key} is {theirs[leaf].shape}, the model has "
                f"{ours[leaf].shape}"
            )
    if problems:
        raise LoadError(
            f"{source} does not fit the model in {len(problems)} weights:\n  "
            + "\n  ".join(problems)
        )
    for name in fresh:
        _log.info("load_from: another number of classes, starts fresh: %s", name)
    return traverse_util.unflatten_dict(result)

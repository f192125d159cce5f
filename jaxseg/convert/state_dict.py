"""Flax variables to PyTorch state dicts and back, by one rule for every model.

A parameter's path is its PyTorch key (`names.torch_key`); only the order of a
kernel's axes differs.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from flax import traverse_util

from jaxseg.convert.names import torch_key

# Flax axes that stand where torch has them: (kh, kw, in, out) -> (out, in, kh, kw).
_TO_TORCH = {
    ("kernel", 4): (3, 2, 0, 1),
    ("kernel", 2): (1, 0),
    ("transposed_kernel", 4): (2, 3, 0, 1),
}


class StateDictError(ValueError):
    """A state dict that does not fit a model; the message lists every difference."""


def _axes(path, ndim):
    return _TO_TORCH.get((path[-1], ndim))


def _to_flax(path, array, ndim):
    axes = _axes(path, ndim)
    return (
        array
        if axes is None or array.ndim != ndim
        else array.transpose(np.argsort(axes))
    )


def keys_of(variables: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The PyTorch key of every leaf -> its path, collection first.

    Args:
        variables: the collections `params` and perhaps `batch_stats` of a model.
    """
    paths = traverse_util.flatten_dict(dict(variables))
    return {torch_key(path[1:]): path for path in paths}


def from_state_dict(
    state_dict: Mapping[str, np.ndarray],
    target: Mapping[str, Any],
    skip: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Puts a state dict into the tree of a model.

    Args:
        state_dict: arrays by PyTorch key. `num_batches_tracked` counts nothing here
            and is passed over.
        target: the model's variables, or their `jax.eval_shape`.
        skip: prefixes of keys that are neither looked up nor complained about.

    Returns:
        NumPy arrays in the tree of `target`, without the skipped leaves.

    Raises:
        StateDictError: listing every missing, unexpected and misshapen key.
    """
    leaves = traverse_util.flatten_dict(dict(target))
    wanted = {k: p for k, p in keys_of(target).items() if not k.startswith(skip or ())}
    given = {
        key
        for key in state_dict
        if not key.endswith("num_batches_tracked") and not key.startswith(skip or ())
    }
    problems = [f"missing: {key}" for key in sorted(wanted.keys() - given)]
    problems += [f"unexpected: {key}" for key in sorted(given - wanted.keys())]
    result = {}
    for key in sorted(wanted.keys() & given):
        path, shape = wanted[key], leaves[wanted[key]].shape
        array = _to_flax(path, np.asarray(state_dict[key]), len(shape))
        if array.shape != shape:
            axes = _axes(path, len(shape))
            theirs = shape if axes is None else tuple(shape[axis] for axis in axes)
            problems.append(
                f"misshapen: {key} is {np.shape(state_dict[key])}, the model has "
                f"{theirs}"
            )
        result[path] = array
    if problems:
        raise StateDictError(
            f"the state dict does not fit the model in {len(problems)} keys:\n  "
            + "\n  ".join(problems)
        )
    return traverse_util.unflatten_dict(result)


def to_state_dict(variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The arrays of a model under PyTorch's keys and in its layout."""
    result = {}
    for path, leaf in traverse_util.flatten_dict(dict(variables)).items():
        array = np.asarray(leaf)
        axes = _axes(path, array.ndim)
        result[torch_key(path[1:])] = array if axes is None else array.transpose(axes)
    return result

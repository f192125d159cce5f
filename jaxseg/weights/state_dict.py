"""State dicts: Flax variables to PyTorch's and back, by one rule for every model.

A parameter's path is its PyTorch key (`names.torch_key`); only the order of a
kernel's axes differs.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from flax import traverse_util

from jaxseg.errors import JaxsegError
from jaxseg.weights.names import torch_key
from jaxseg.weights.stored import read_all

# Flax axes that stand where torch has them: (kh, kw, in, out) -> (out, in, kh, kw).
_TO_TORCH = {
    ("kernel", 4): (3, 2, 0, 1),
    ("kernel", 3): (2, 1, 0),
    ("kernel", 2): (1, 0),
    ("transposed_kernel", 4): (2, 3, 0, 1),
}

COUNTER = "num_batches_tracked"
# What a model counts in its training (EoMT's annealing); no other program's files have it.
ITERATIONS = "iterations"
# A large model has some 2000 keys; a file may have millions.
_MOST_LINES = 10_000
_COUNTS = (COUNTER, "total_ops", "total_params", "n_averaged")
# Sums that CSAIL's synchronised batch norm makes its running statistics of.
_SUMS = ("_tmp_running_mean", "_tmp_running_var", "_running_iter")


class StateDictError(JaxsegError, ValueError):
    """A state dict that does not fit a model; the message lists every difference."""


def torch_axes(path: Sequence[str], shape: Sequence[int]) -> tuple[int, ...]:
    """The axes of a leaf of a Flax tree, in the order that they have in PyTorch."""
    return _TO_TORCH.get((path[-1], len(shape)), tuple(range(len(shape))))


def keys_of(variables: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The PyTorch key of every leaf -> its path, collection first.

    Args:
        variables: the collections `params` and perhaps `batch_stats` of a model.
    """
    paths = traverse_util.flatten_dict(dict(variables))
    return {torch_key(path[1:]): path for path in paths}


def torch_shapes(variables: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The shape that PyTorch has for every leaf, by key.

    Args:
        variables: the variables of a model, or their `jax.eval_shape`.
    """
    return {
        torch_key(path[1:]): tuple(leaf.shape[a] for a in torch_axes(path, leaf.shape))
        for path, leaf in traverse_util.flatten_dict(dict(variables)).items()
    }


def is_passed_over(key: str) -> bool:
    """Whether a key names something that no model of ours has, and that files have.

    That is how many batches a norm has seen, which counts nothing as long as the norm
    has a momentum; the second copy of the weights that mmcv's EMAHook keeps under
    `ema_backbone_conv1_weight`; what thop counts in every module; how many models
    torch's AveragedModel has averaged; and the sums that running statistics come from.
    """
    if "." not in key and key.startswith("ema_"):
        return True
    return key.rpartition(".")[2] in (*_COUNTS, *_SUMS)


def from_state_dict(
    state_dict: Mapping[str, np.ndarray],
    target: Mapping[str, Any],
    source: str = "the state dict",
    buffers: Mapping[str, np.ndarray] | None = None,
) -> dict[str, Any]:
    """Puts a state dict into the tree of a model.

    Args:
        state_dict: arrays by PyTorch key, some of which are passed over
            (`is_passed_over`). ITERATIONS may be missing, and then are 0.
        target: the model's variables, or their `jax.eval_shape`.
        source: where the state dict is from, for errors.
        buffers: arrays by key that the state dict may have besides, with the same
            values (`KeyTable.buffers`).

    Returns:
        NumPy arrays in the tree of `target`, views on those of `state_dict`.

    Raises:
        StateDictError: listing every missing, unexpected and misshapen key, those with
            whole numbers, which are no weights, and buffers of other values.
    """
    wanted, buffers = torch_shapes(target), buffers or {}
    given = {key for key in state_dict if not is_passed_over(key)}
    counts = {key for key in wanted if key.rpartition(".")[2] == ITERATIONS}
    state_dict = {key: np.zeros((), np.float32) for key in counts} | dict(state_dict)
    problems = [f"missing: {key}" for key in sorted(wanted.keys() - given - counts)]
    extra = sorted(given - wanted.keys() - buffers.keys())
    problems += [f"unexpected: {key}" for key in extra]
    shapes = wanted | {key: array.shape for key, array in buffers.items()}
    for key in sorted(shapes.keys() & given):
        found, dtype = state_dict[key].shape, state_dict[key].dtype
        if found != shapes[key]:
            problems.append(f"misshapen: {key} is {found}, the model has {shapes[key]}")
        elif key in buffers:
            if not np.array_equal(state_dict[key], buffers[key]):
                problems.append(
                    f"another table: {key} has other values than this config makes"
                )
        elif dtype.kind in "biu":
            problems.append(f"not a weight: {key} is {dtype}")
    if problems:
        count = len(problems)
        if count > _MOST_LINES:
            more = f"and {count - _MOST_LINES} more"
            problems = [*problems[:_MOST_LINES], more]
        raise StateDictError(
            f"{source} does not fit the model in {count} keys:\n  "
            + "\n  ".join(problems)
        )
    result, paths = {}, keys_of(target)
    for key, array in read_all({key: state_dict[key] for key in paths}).items():
        axes = torch_axes(paths[key], array.shape)
        result[paths[key]] = array.transpose(np.argsort(axes))
    return traverse_util.unflatten_dict(result)


def to_state_dict(variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The arrays of a model under PyTorch's keys and in its layout; NumPy's are views."""
    result = {}
    for path, leaf in traverse_util.flatten_dict(dict(variables)).items():
        array = np.asarray(leaf)
        result[torch_key(path[1:])] = array.transpose(torch_axes(path, array.shape))
    return result

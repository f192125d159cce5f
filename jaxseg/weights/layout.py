"""Layout of mmseg's checkpoints, where it is not that of the model's own weights.

Three things differ: weights that a family's `KeyTable` converts, buffers of whole
numbers that follow from the config, and what batch norms count.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxseg.weights.key_table import key_table_of
from jaxseg.weights.part import join, parts
from jaxseg.weights.state_dict import COUNTER


def buffers_of(model: Any) -> dict[str, np.ndarray]:
    """The buffers of all parts of a model, by their key in mmseg's checkpoints."""
    return {
        join(key, name): np.asarray(array)
        for key, part in parts(model).items()
        for name, array in key_table_of(part).buffers(part).items()
    }


def to_model(state_dict: Mapping[str, Any], model: Any) -> dict[str, Any]:
    """Weights of mmseg's (or of the model itself) as the model has them."""
    return _converted(state_dict, model, "convert")


def to_mmseg(
    state_dict: Mapping[str, Any], model: Any, given: Mapping[str, Any], step: int
) -> dict[str, Any]:
    """Weights of a model as mmseg has them, with its buffers and counters.

    Args:
        state_dict: the state dict of the model.
        model: the segmentor.
        given: buffers and counters that are known, by key.
        step: the count of a norm that is not among them.

    Returns:
        The entries in PyTorch's order within a module: a buffer follows the weights.
    """
    state_dict = _converted(state_dict, model, "convert_back")
    buffers = buffers_of(model)
    last = {key.rpartition(".")[0]: key for key in state_dict}
    behind = {}
    for name in buffers:
        behind.setdefault(last.get(name.rpartition(".")[0]), []).append(name)
    result = {}
    for key, array in state_dict.items():
        result[key] = array
        module, _, leaf = key.rpartition(".")
        if leaf == "running_var":
            counter = join(module, COUNTER)
            result[counter] = given.get(counter, np.asarray(step, np.int64))
        for name in behind.get(key, ()):
            result[name] = given.get(name, buffers[name])
    for name in behind.get(None, ()):  # of modules without weights
        result[name] = given.get(name, buffers[name])
    return result


def _converted(state_dict, model, direction):
    result = dict(state_dict)
    for key, part in parts(model).items():
        table = key_table_of(part)
        if table.convert_back is None:
            continue
        start = f"{key}." if key else ""
        below = {k: a for k, a in result.items() if k.startswith(start)}
        weights = {k.removeprefix(start): a for k, a in below.items()}
        converted = getattr(table, direction)(weights, part)
        result = {k: a for k, a in result.items() if k not in below}
        result |= {join(key, name): array for name, array in converted.items()}
    return result

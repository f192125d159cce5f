"""Sizes: weights for other images brought to those of the model."""

import logging
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxseg.weights.adapt import adapt_in_channels, first_layer
from jaxseg.weights.layout import buffers_of
from jaxseg.weights.load import LoadError
from jaxseg.weights.part import is_below, key_below, parts
from jaxseg.weights.state_dict import torch_shapes

_log = logging.getLogger("jaxseg")

# Of a position table for an image of eight times the side.
_MOST_LARGER = 64


def adapt_first_layer(
    state_dict: Mapping[str, np.ndarray], variables: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Brings a first layer for 3 channels to the model's number of channels.

    Args:
        state_dict: the state dict of a checkpoint.
        variables: the variables of the model, or their shapes.

    Raises:
        LoadError: if there is no such layer, or it is for the model's channels already.
    """
    shapes = torch_shapes(variables)
    key = first_layer(state_dict, shapes)
    if key is None:
        raise LoadError(
            "adapt_in_channels: the checkpoint has no first layer for 3 channels where "
            "the model's is for another number; leave it out"
        )
    _log.info("%s: adapted from 3 to %d channels", key, shapes[key][1])
    adapted = adapt_in_channels(np.asarray(state_dict[key]), shapes[key][1])
    return {**state_dict, key: adapted}


def at_the_models_sizes(
    state_dict: Mapping[str, np.ndarray],
    variables: Mapping[str, Any],
    model: Any,
    adapt: bool,
) -> dict[str, np.ndarray]:
    """Weights at the model's sizes, where a part's `resize_weight` says what that means.

    A table of indices (`KeyTable.buffers`) of another size goes with the weight of its
    module that was resized.

    Args:
        state_dict: the state dict of a checkpoint, in the model's layout.
        variables: the variables of the model, or their shapes.
        model: the segmentor.
        adapt: whether a first layer for 3 channels is adapted to the model's.

    Raises:
        LoadError: as `adapt_first_layer`.
    """
    if adapt:
        state_dict = adapt_first_layer(state_dict, variables)
    result, shapes = dict(state_dict), torch_shapes(variables)
    tables = buffers_of(model)
    for part_key, part in parts(model).items():
        if not hasattr(part, "resize_weight"):
            continue
        for key in filter(result.__contains__, shapes):
            shape = result[key].shape
            is_large = math.prod(shape) > _MOST_LARGER * math.prod(shapes[key])
            if is_below(key, part_key) and shape != shapes[key] and not is_large:
                found = np.asarray(result[key])
                result[key] = part.resize_weight(key_below(key, part_key), found)
                if result[key] is not found:
                    _log.info(
                        "%s: resized from %s to %s", key, found.shape, result[key].shape
                    )
                    _drop_tables(result, key.rpartition(".")[0], tables)
    return result


def _drop_tables(state_dict, module, tables):
    """Drops, in place, a module's tables of indices for another size."""
    for name, table in tables.items():
        is_its = name.rpartition(".")[0] == module and name in state_dict
        if is_its and np.shape(state_dict[name]) != table.shape:
            del state_dict[name]

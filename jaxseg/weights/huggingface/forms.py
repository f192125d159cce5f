"""Forms of weights: what Hugging Face's models split or flatten, as mmseg has it."""

import re

import numpy as np

from jaxseg.weights.join_weights import join_weights
from jaxseg.weights.key_table import Weights


def join_queries_keys_values(weights: Weights, joined: str) -> dict[str, np.ndarray]:
    """Three projections of attention as one, the queries first.

    Args:
        weights: weights by key; `attn.query.weight`, `attn.key.weight` and
            `attn.value.weight` become one. What lacks one of the three stays.
        joined: what takes the place of `query.`, such as `in_proj_` or `qkv.`.
    """
    return join_weights(weights, ("query.", "key.", "value."), joined)


def as_convolutions(weights: Weights, pattern: str) -> dict[str, np.ndarray]:
    """Weights of linear layers as those of 1x1 convolutions.

    Args:
        weights: weights by key.
        pattern: which keys, as of `re.search`.
    """
    return {
        key: array.reshape(*array.shape, 1, 1)
        if array.ndim == 2 and re.search(pattern, key)
        else array
        for key, array in weights.items()
    }


def columns_first(weights: Weights, pattern: str) -> dict[str, np.ndarray]:
    """Weights of merged patches in the order of torch's unfold.

    Args:
        weights: weights by key. Their last axis is four pixels, column by column, with
            their channels; it becomes channels with their pixels, row by row.
        pattern: which keys, as of `re.search`.
    """
    result = dict(weights)
    for key, array in weights.items():
        if re.search(pattern, key) and array.ndim and array.shape[-1] % 4 == 0:
            by_column = np.asarray(array).reshape(*array.shape[:-1], 2, 2, -1)
            result[key] = by_column.swapaxes(-3, -1).reshape(array.shape)
    return result

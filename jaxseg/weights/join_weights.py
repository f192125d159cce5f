"""Joined weights: layers that a file has one by one and the model as one."""

from collections.abc import Mapping, Sequence

import numpy as np


def join_weights(
    weights: Mapping[str, np.ndarray], parts: Sequence[str], joined: str
) -> dict[str, np.ndarray]:
    """Several layers as one, whose outputs are theirs, one behind the other.

    Args:
        weights: weights by key. Of layers that are not all there each stays.
        parts: what the keys of the layers have, such as `.w1.` and `.w2.`.
        joined: what the key of the one layer has in its place, such as `.w12.`.
    """
    result, (first, *others) = dict(weights), parts
    for key in weights:
        keys = [key, *(key.replace(first, part) for part in others)]
        if first in key and result.keys() >= set(keys):
            arrays = [np.asarray(result.pop(k)) for k in keys]
            result[key.replace(first, joined)] = np.concatenate(arrays)
    return result


def join_projections(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """`attn.q` and `attn.kv` of PVT and its kin as torch's `in_proj` of attention.

    Args:
        weights: weights by key. A q without its kv, and a kv without its q, stay.

    Returns:
        The weights with every such pair joined, the queries first.
    """
    return join_weights(weights, (".attn.q.", ".attn.kv."), ".attn.attn.in_proj_")

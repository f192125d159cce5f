"""Projections of attention: the queries' with the keys' and values' as torch has them."""

from collections.abc import Mapping

import numpy as np

_QUERIES, _OTHERS, _JOINED = ".attn.q.", ".attn.kv.", ".attn.attn.in_proj_"


def join_projections(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """`attn.q` and `attn.kv` of PVT and its kin as torch's `in_proj` of attention.

    Args:
        weights: weights by key. A q without its kv, and a kv without its q, stay.

    Returns:
        The weights with every such pair joined, the queries first.
    """
    joined = dict(weights)
    for key in weights:
        others = key.replace(_QUERIES, _OTHERS)
        if others != key and others in weights:
            pair = joined.pop(key), joined.pop(others)
            joined[key.replace(_QUERIES, _JOINED)] = np.concatenate(pair)
    return joined

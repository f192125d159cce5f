"""Prefixes: what programs put before the keys of a model that they hold as a part."""

import dataclasses
import logging
from collections.abc import Callable, Collection
from typing import Any

from jaxseg.weights.layout import buffers_of, to_model
from jaxseg.weights.load import Checkpoint, LoadError
from jaxseg.weights.other_names import names_in_model
from jaxseg.weights.state_dict import torch_shapes

_log = logging.getLogger("jaxseg")

# `algorithm.architecture.model.` is the longest that was seen.
_MAX_DEPTH = 4


def find_prefix(
    keys: Collection[str],
    known: Collection[str],
    source: str,
    usual: str = "",
    rename: Callable[[str], str] = str,
) -> str:
    """The one prefix under which a file has the keys of a model.

    Args:
        keys: the keys of the file.
        known: the keys of the model, or of a part of it.
        source: the file, for errors.
        usual: the prefix that comes before others with as many keys.
        rename: our name of a key without the prefix.

    Returns:
        The prefix with its dot, such as `model.`; empty if the keys have none, or if
        with none a key is one of the model's.

    Raises:
        LoadError: if several have as many of the model's keys, `encoder_q.` and
            `encoder_k.`: nobody but the user knows which one is meant.
    """
    votes = {}
    for key in keys:
        for prefix in _prefixes(key):
            if rename(key[len(prefix) :]) in known:
                votes[prefix] = votes.get(prefix, 0) + 1
    most = max(votes.values(), default=0)
    best = sorted(prefix for prefix, count in votes.items() if count == most)
    for prefix in (usual, ""):
        if prefix in best or not best:
            return prefix if best else ""
    if len(best) > 1:
        raise LoadError(
            f"{source} has the weights several times, under the prefixes "
            f"{', '.join(best)}: say which are meant, with init_cfg=dict("
            f"type='Pretrained', checkpoint=..., prefix={best[0]!r})"
        )
    return best[0]


def _prefixes(key):
    at = -1
    yield ""
    for _ in range(_MAX_DEPTH):
        at = key.find(".", at + 1)
        if at < 0:
            return
        yield key[: at + 1]


def for_model(checkpoint: Checkpoint, variables: Any, model: Any) -> Checkpoint:
    """A checkpoint of a whole model under the model's own keys and in its layout.

    Args:
        checkpoint: the checkpoint of the model, or of one that another program holds it
            in; or of another repository's model, by the parts' key tables.
        variables: the variables of the model, or their shapes.
        model: the segmentor.

    Returns:
        The same weights; where all of the model's that there are begin with one
        prefix, without it. That is logged.

    Raises:
        LoadError: as `find_prefix`; or if a key is there with and without the prefix,
            or under two names.
    """
    known = torch_shapes(variables).keys() | buffers_of(model).keys()
    weights, keys = checkpoint.weights, checkpoint.keys
    prefix = find_prefix(weights, known, str(checkpoint.path))
    if prefix:
        where = checkpoint.path
        _log.info("%s: its keys begin with %r, which is taken off", where, prefix)
        keys = [key.removeprefix(prefix) for key in keys]
        named = {}
        for key, array in weights.items():
            name = key.removeprefix(prefix)
            if name in named:
                raise LoadError(f"{where} has {name} with and without {prefix!r}")
            named[name] = array
        weights = named
    names = names_in_model(weights, known, model, str(checkpoint.path))
    # Of a run of ours, keys are more than the weights: the buffers of mmseg's file.
    keys = [names.get(k, k) for k in keys if k in names or k not in weights]
    weights = {names[key]: a for key, a in weights.items() if key in names}
    weights = to_model(weights, model)
    return dataclasses.replace(checkpoint, weights=weights, keys=keys)

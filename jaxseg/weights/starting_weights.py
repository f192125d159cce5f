"""Starting weights of a training: `load_from`, `pretrained`."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxseg.config import ConfigError
from jaxseg.weights.load import as_variables, fill, read_checkpoint
from jaxseg.weights.load_pretrained import load_pretrained
from jaxseg.weights.part import config_path, is_below, parts
from jaxseg.weights.prefix import for_model
from jaxseg.weights.pretrained import Pretrained
from jaxseg.weights.sizes import at_the_models_sizes
from jaxseg.weights.state_dict import ITERATIONS, to_state_dict

_log = logging.getLogger("jaxseg")


def pretrained_parts(model: Any) -> dict[str, Pretrained]:
    """The parts of a model that start from weights of their own, by key.

    `model.pretrained` stands for the init_cfg of the model's `pretrained_keys`. As in
    mmengine a part inside another one that has such weights is left to that.

    Raises:
        ConfigError: if one of those has both.
    """
    found = {
        key: part.init_cfg
        for key, part in parts(model).items()
        if isinstance(getattr(part, "init_cfg", None), Pretrained)
    }
    given = model.pretrained
    if given is not None:
        for key in model.pretrained_keys:
            if key in found:
                path = config_path(key, model)
                raise ConfigError(
                    f"model.pretrained and {path}.init_cfg both name the starting "
                    f"weights of {path}: leave one of them out"
                )
        given = {"checkpoint": given} if isinstance(given, str) else given
        found |= dict.fromkeys(model.pretrained_keys, Pretrained(**given))
    for key in list(found):
        outer = [k for k in found if k != key and is_below(key, k)]
        if outer:
            _log.info(
                "%s.init_cfg is not read: %s has one, for all that is in it",
                config_path(key, model),
                config_path(outer[0], model),
            )
            del found[key]
    return found


def find_starting_weights(config: Mapping[str, Any], model: Any) -> None:
    """Fetches what `starting_weights` will read: before a run begins anything else.

    A folder that is there is left for later: a run that goes on may write to it until
    then.

    Raises:
        LoadError: if it cannot be read or fetched.
    """
    sources = [config.get("load_from")]
    if not sources[0]:
        sources = [entry.checkpoint for entry in pretrained_parts(model).values()]
    for source in sources:
        if not Path(source).expanduser().is_dir():
            read_checkpoint(source)


def starting_weights(
    config: Mapping[str, Any], model: Any, variables: Mapping[str, Any]
) -> dict[str, Any]:
    """Puts what a config names into a fresh model: `load_from`, or else `pretrained`.

    mmseg loads both, one after the other; as the second has every weight of the
    model, the first leaves no trace.

    Args:
        config: a whole config.
        model: the segmentor.
        variables: its fresh params and batch_stats, which are left alone if the config
            names nothing.

    Raises:
        ConfigError: for `adapt_in_channels` that has nothing to adapt.
        LoadError: as `load_from` and `load_pretrained`.
    """
    adapt = config.get("adapt_in_channels") or False
    if adapt not in (True, False):
        raise ConfigError(f"adapt_in_channels is {adapt!r}, allowed: True, False")
    if config.get("load_from"):
        return load_from(config["load_from"], variables, model, adapt)
    found = pretrained_parts(model)
    if adapt and not found:
        raise ConfigError(
            "adapt_in_channels is True, but there is neither load_from nor "
            "model.pretrained whose weights it could adapt"
        )
    first = model.pretrained_keys[0]
    if adapt and "" not in found and first not in found:
        names = ", ".join(config_path(key, model) for key in found)
        raise ConfigError(
            f"adapt_in_channels is True, but {config_path(first, model)}, whose first "
            f"layer it adapts, starts fresh; {names} alone has an init_cfg"
        )
    variables = dict(variables)
    for key in found:
        is_first = key in ("", first)
        variables = load_pretrained(
            key, found[key], variables, model, adapt and is_first
        )
    return variables


def load_from(
    source: str, variables: Mapping[str, Any], model: Any, adapt: bool = False
) -> dict[str, Any]:
    """Puts the weights of a checkpoint into a fresh model.

    A classifier (`conv_seg`, or one of a head's `class_modules`) of another number of
    classes keeps its fresh values, and a position table of another size is resized; both
    are logged. What a model has counted begins anew. Any other difference is an error.

    Args:
        source: as in `read_checkpoint`.
        variables: fresh params and batch_stats of the model.
        model: the segmentor.
        adapt: whether a first layer for 3 channels is adapted to the model's.

    Returns:
        The variables with the checkpoint's values.

    Raises:
        LoadError: listing every missing, unexpected and misshapen weight.
    """
    checkpoint = read_checkpoint(source)
    _log.info("load_from: %s, step %d", checkpoint.path, checkpoint.step)
    state_dict = for_model(checkpoint, variables, model).weights
    state_dict = at_the_models_sizes(state_dict, variables, model, adapt)
    named = (getattr(part, "class_modules", ()) for part in parts(model).values())
    classifiers = {"conv_seg"}.union(*named)
    for key, fresh in to_state_dict(variables).items():
        if key.rpartition(".")[2] == ITERATIONS:
            state_dict[key] = fresh
        if key not in state_dict or classifiers.isdisjoint(key.split(".")):
            continue
        found = np.shape(state_dict[key])
        # The classes are the first axis, of the weights and of the bias.
        if found != fresh.shape and found[1:] == fresh.shape[1:] and found:
            _log.info(
                "load_from: another number of classes, starts fresh: %s (%d -> %d)",
                key,
                found[0],
                fresh.shape[0],
            )
            state_dict[key] = fresh
    tree = fill(state_dict, variables, source, model)
    return as_variables(tree, variables, source)

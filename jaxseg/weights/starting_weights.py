"""What a training starts with in place of fresh values: `load_from`, `pretrained`."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxseg.config import ConfigError
from jaxseg.weights.adapt import adapt_in_channels
from jaxseg.weights.key_table import key_table_of
from jaxseg.weights.load import (
    LoadError,
    as_variables,
    fill,
    first_layer,
    read_checkpoint,
)
from jaxseg.weights.state_dict import (
    StateDictError,
    is_passed_over,
    to_state_dict,
    torch_shapes,
)

_log = logging.getLogger("jaxseg")


def find_starting_weights(config: Mapping[str, Any], model: Any) -> None:
    """Fetches what `starting_weights` will read: before a run begins anything else.

    A folder that is there is left for later: to look into it is to read all of it, where
    of a file only the list of its arrays is read.

    Raises:
        LoadError: if it cannot be read or fetched.
    """
    pretrained = model.pretrained
    if isinstance(pretrained, Mapping):
        pretrained = pretrained["checkpoint"]
    source = config.get("load_from") or pretrained
    if source is not None and not Path(source).expanduser().is_dir():
        read_checkpoint(source)


def starting_weights(
    config: Mapping[str, Any], model: Any, variables: Mapping[str, Any]
) -> dict[str, Any]:
    """Puts what a config names into a fresh model: `load_from`, or else `pretrained`.

    mmseg loads both, one after the other; as the second has every weight of the
    backbone, the first leaves no trace.

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
        return load_from(config["load_from"], variables, model.backbone, adapt)
    if model.pretrained is not None:
        return load_pretrained(model.pretrained, variables, model.backbone, adapt)
    if adapt:
        raise ConfigError(
            "adapt_in_channels is True, but there is neither load_from nor "
            "model.pretrained whose weights it could adapt"
        )
    return dict(variables)


def load_from(
    source: str, variables: Mapping[str, Any], backbone: Any, adapt: bool = False
) -> dict[str, Any]:
    """Puts the weights of a checkpoint into a fresh model.

    A classifier (`conv_seg`) of another number of classes keeps its fresh values, and
    a position table of another size is resized; both are logged. Any other difference
    is an error.

    Args:
        source: as in `read_checkpoint`.
        variables: fresh params and batch_stats of the model.
        backbone: of the model.
        adapt: whether a first layer for 3 channels is adapted to the model's.

    Returns:
        The variables with the checkpoint's values.

    Raises:
        LoadError: listing every missing, unexpected and misshapen weight.
    """
    checkpoint = read_checkpoint(source)
    _log.info("load_from: %s, step %d", checkpoint.path, checkpoint.step)
    state_dict = _fit_backbone(checkpoint.state_dict, variables, backbone, adapt)
    for key, fresh in to_state_dict(variables).items():
        if "conv_seg" not in key or key not in state_dict:
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
    tree = fill(state_dict, variables, source, backbone)
    return as_variables(tree, variables, source)


def load_pretrained(
    pretrained: str | Mapping[str, str],
    variables: Mapping[str, Any],
    backbone: Any,
    adapt: bool = False,
) -> dict[str, Any]:
    """Puts pre-trained weights into the backbone of a fresh model.

    Keys may begin with `backbone.`, and then the others are left out, or be those of
    the original repository, by the backbone's `key_table`. Every weight of the
    backbone must be in the file. What else is in it must be in the table as unused,
    and is logged: the classifier, and what the model is configured to lack.

    Args:
        pretrained: a source as in `read_checkpoint`; or dict(checkpoint=source,
            prefix=...), where the backbone's keys have another prefix than
            `backbone.`.
        variables: fresh params and batch_stats of the model, or their shapes.
        backbone: of the model.
        adapt: whether a first layer for 3 channels is adapted to the model's.

    Returns:
        The variables with the backbone's values.

    Raises:
        LoadError: listing every missing, unexpected and misshapen weight.
    """
    if isinstance(pretrained, str):
        pretrained = {"checkpoint": pretrained}
    source = pretrained["checkpoint"]
    checkpoint = read_checkpoint(source)
    _log.info("pretrained: %s", checkpoint.path)
    target = {
        collection: {"backbone": tree["backbone"]}
        for collection, tree in variables.items()
        if "backbone" in tree
    }
    given, others = _below(checkpoint.state_dict, pretrained.get("prefix"), source)
    kept = _select(given, others, target, backbone, source)
    state_dict = {f"backbone.{key}": array for key, array in kept.items()}
    state_dict = _fit_backbone(state_dict, target, backbone, adapt)
    tree = as_variables(fill(state_dict, target, source, backbone), target, source)
    return {
        collection: {**values, **tree.get(collection, {})}
        for collection, values in variables.items()
    }


def _below(state_dict, prefix, source):
    """The weights under a prefix, without it, and the keys of the others.

    The prefix is `backbone.` if the config does not say one and there are such keys.
    """
    if prefix is None:
        prefix = "backbone." if any(map(_inside, state_dict)) else ""
    elif prefix and not prefix.endswith("."):
        prefix += "."
    below = {
        k.removeprefix(prefix): a for k, a in state_dict.items() if k.startswith(prefix)
    }
    if not below:
        starts = sorted({key.partition(".")[0] for key in state_dict})
        raise LoadError(
            f"{source} has no key that begins with the prefix {prefix!r}; its keys "
            f"begin with {', '.join(starts)}"
        )
    return below, [key for key in state_dict if not key.startswith(prefix)]


def _select(given, others, target, backbone, source):
    """The backbone's weights by our names; logs what else there is."""
    table = key_table_of(backbone)
    known = {key.removeprefix("backbone.") for key in torch_shapes(target)}
    try:
        kept, left_out = table.select(given, known)
    except StateDictError as error:
        raise LoadError(f"{source}: {error}") from error
    if names := [key for key in [*others, *left_out] if not is_passed_over(key)]:
        _log.info("pretrained: not used: %s", ", ".join(names))
    names = {table.rename(key, known): key for key in left_out}
    for field, key in table.fields.items():
        if key in names:
            # Unlike a classifier, it was part of what these weights compute.
            _log.warning(
                "pretrained: %s is left out, as in mmseg; with model.backbone.%s=True "
                "the model has it",
                names[key],
                field,
            )
    return kept


def _inside(key):
    return key.startswith("backbone.")


def adapt_first_layer(
    state_dict: Mapping[str, np.ndarray], variables: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Brings a first layer for 3 channels to the model's number of channels.

    Args:
        state_dict: of a checkpoint.
        variables: of the model, or their shapes.

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
    return {**state_dict, key: adapt_in_channels(state_dict[key], shapes[key][1])}


def _fit_backbone(state_dict, variables, backbone, adapt):
    """Weights of the backbone at the model's sizes, where that has a meaning."""
    if adapt:
        state_dict = adapt_first_layer(state_dict, variables)
    result = dict(state_dict)
    if not hasattr(backbone, "resize_weight"):
        return result
    for key, shape in torch_shapes(variables).items():
        if _inside(key) and key in result and np.shape(result[key]) != shape:
            name, found = key.removeprefix("backbone."), result[key]
            result[key] = backbone.resize_weight(name, found)
            if result[key] is not found:
                _log.info(
                    "%s: resized from %s to %s", key, found.shape, result[key].shape
                )
    return result

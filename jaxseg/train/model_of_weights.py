"""Model of weights: a training without a `model` of its own takes that of `load_from`."""

import copy
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from jaxseg.config import ConfigError
from jaxseg.heads.head import Head
from jaxseg.registry import lookup
from jaxseg.resolve import MODEL_TABLES
from jaxseg.weights.load import read_checkpoint

_log = logging.getLogger("jaxseg")


def with_model(config: Mapping[str, Any], classes: Sequence[str]) -> dict[str, Any]:
    """A config with a whole `model`.

    A `model` with a `type` stands. Of any other, its entries change those of the model
    that the checkpoint of `load_from` brings, whose heads get the data set's classes.

    Args:
        config: of a training.
        classes: those of its data set.

    Raises:
        ConfigError: where there is neither; or for a change to something that the
            checkpoint's model does not have.
        LoadError: if the checkpoint cannot be read.
    """
    changes = config.get("model") or {}
    if not isinstance(changes, Mapping) or "type" in changes:
        return dict(config)
    source = config.get("load_from")
    if not source:
        raise ConfigError(
            "model is missing, or has no type, and there is no load_from whose model "
            "could be trained"
        )
    checkpoint = read_checkpoint(source)
    if not checkpoint.config or "model" not in checkpoint.config:
        reason = checkpoint.no_config or f"{source} has weights and no config"
        raise ConfigError(f"model is missing, and load_from brings none: {reason}")
    model = copy.deepcopy(dict(checkpoint.config["model"]))
    for name in ("decode_head", "auxiliary_head"):
        if model.get(name):
            model[name] = _for_classes(model[name], f"model.{name}", len(classes))
    # What it started from, its own weights replace.
    model.pop("pretrained", None)
    _log.info("model: that of load_from, %s, for %d classes", source, len(classes))
    return {**config, "model": _changed(model, changes, "model")}


def _for_classes(entry, path, count):
    """Entries of heads, one or a list, for another number of classes."""
    if not isinstance(entry, Mapping):
        return [_for_classes(one, f"{path}.{i}", count) for i, one in enumerate(entry)]
    head = lookup(entry["type"], path, MODEL_TABLES, (Head,))
    return dict(entry) if head.has_own_classes else head.for_classes(entry, count)


def _changed(entry, changes, path):
    """A dict of a config with changes, key by key; a dict with a `type` replaces."""
    result = dict(entry)
    for key, value in changes.items():
        found = result.get(key)
        if isinstance(value, Mapping) and "type" not in value and found is not None:
            if not isinstance(found, Mapping):
                raise ConfigError(
                    f"{path}.{key} is a dict, and that of load_from's model {found!r:.80}"
                )
            value = _changed(found, value, f"{path}.{key}")
        result[key] = value
    return result

"""Pre-trained weights of one part of a model: a backbone, a text encoder."""

import functools
import logging
from collections.abc import Mapping
from typing import Any

from flax import traverse_util

from jaxseg.weights.files.checkpoint_tree import unwrapped
from jaxseg.weights.key_table import key_table_of
from jaxseg.weights.layout import to_model
from jaxseg.weights.load import LoadError, as_variables, fill, read_checkpoint
from jaxseg.weights.names import torch_key
from jaxseg.weights.part import config_path, is_below, join, key_below, parts
from jaxseg.weights.prefix import find_prefix
from jaxseg.weights.pretrained import Pretrained
from jaxseg.weights.sizes import at_the_models_sizes
from jaxseg.weights.state_dict import StateDictError, is_passed_over, torch_shapes

_log = logging.getLogger("jaxseg")


def load_pretrained(
    key: str,
    pretrained: Pretrained,
    variables: Mapping[str, Any],
    model: Any,
    adapt: bool = False,
) -> dict[str, Any]:
    """Puts pre-trained weights into a part of a fresh model.

    The part's keys in the file are its own, with one prefix or none, or those of the
    original repository, by its `key_table`. Every weight of the part must be in the
    file, but for those of its `fresh_modules`, which are logged. What else is under the
    prefix must be in the table as unused; it is logged, and so is what is not under it:
    the classifier, and what the model is configured to lack.

    Args:
        key: the key of the part, 'backbone'.
        pretrained: where the weights are; its checkpoint is a source as in
            `read_checkpoint`.
        variables: fresh params and batch_stats of the model, or their shapes.
        model: the segmentor.
        adapt: whether a first layer for 3 channels is adapted to the model's.

    Returns:
        The variables with the part's values.

    Raises:
        LoadError: listing every missing, unexpected and misshapen weight.
    """
    source = pretrained.checkpoint
    checkpoint = read_checkpoint(source)
    _log.info("%s: starts from %s", config_path(key, model), checkpoint.path)
    flat = traverse_util.flatten_dict(dict(variables))
    inside = {
        path: leaf for path, leaf in flat.items() if is_below(torch_key(path[1:]), key)
    }
    target = traverse_util.unflatten_dict(inside)
    known = {key_below(k, key) for k in torch_shapes(target)}
    given, others = _under_prefix(checkpoint.weights, key, pretrained, known, model)
    kept = _select(given, others, known, key, model, source)
    fresh = _fresh(known - kept.keys(), parts(model)[key])
    inside = {
        p: v for p, v in inside.items() if key_below(torch_key(p[1:]), key) not in fresh
    }
    target = traverse_util.unflatten_dict(inside)
    state_dict = {join(key, name): array for name, array in kept.items()}
    state_dict = to_model(state_dict, model)  # of mmseg's for the parts inside
    state_dict = at_the_models_sizes(state_dict, target, model, adapt)
    tree = as_variables(fill(state_dict, target, source, model), target, source)
    return traverse_util.unflatten_dict(flat | traverse_util.flatten_dict(tree))


def _fresh(lacking, part):
    """The keys among those that a file lacks which start fresh; logs them."""
    names = set(part.fresh_modules)
    fresh = {
        key for key in lacking if names & {*key.split("."), "." + key.partition(".")[0]}
    }
    if fresh:
        _log.info("pretrained: not there, so fresh: %s", ", ".join(sorted(fresh)))
    return fresh


def _under_prefix(state_dict, key, pretrained, known, model):
    """The weights under the prefix, without it, and the keys of the others."""
    source, prefix = pretrained.checkpoint, pretrained.prefix
    if prefix is None:
        table = key_table_of(parts(model)[key])
        rename = functools.partial(table.rename, known=known)
        prefix = find_prefix(state_dict, known, source, join(key, "") + ".", rename)
    else:
        prefix = unwrapped(prefix)
        prefix += "." if prefix and not prefix.endswith(".") else ""
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


def _select(given, others, known, key, model, source):
    """The part's weights by our names; logs what else there is."""
    part = parts(model)[key]
    table = key_table_of(part).of_file(given)
    try:
        kept, left_out = table.select(given, known)
    except StateDictError as error:
        raise LoadError(f"{source}: {error}") from error
    if names := [key for key in [*others, *left_out] if not is_passed_over(key)]:
        _log.info("pretrained: not used: %s", ", ".join(names))
    names = {table.rename(key, known): key for key in left_out}
    for field, name in table.fields.items():
        if name in names:
            # Unlike a classifier, it was part of what these weights compute.
            _log.warning(
                "pretrained: %s is left out, as in mmseg; with %s.%s=True "
                "the model has it",
                names[name],
                config_path(key, model),
                field,
            )
    return dict(table.convert(kept, part)) if table.convert is not None else kept

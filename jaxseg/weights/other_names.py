"""Other names: the keys of whole models of other repositories."""

from collections.abc import Collection
from typing import Any

from jaxseg.weights.key_table import key_table_of
from jaxseg.weights.load import LoadError
from jaxseg.weights.part import parts
from jaxseg.weights.state_dict import COUNTER


def names_in_model(
    keys: Collection[str], known: Collection[str], model: Any, source: str
) -> dict[str, str]:
    """The model's names of a checkpoint's weights, by their key there.

    The key tables of a model's parts, the segmentor's first, rename what the model does
    not have: `aspp.conv1.weight` becomes `decode_head.aspp.conv1.weight` by the
    segmentor's, and `decode_head.bottleneck.conv.weight` by the head's.

    Args:
        keys: the keys of the checkpoint.
        known: the keys of the model.
        model: the segmentor.
        source: the checkpoint, for errors.

    Returns:
        A name for every key but those of `KeyTable.twins`; the key itself where no
        table leads to a weight of the model.

    Raises:
        LoadError: if two weights have one name.
    """
    # What counts batches is no weight: it goes with a statistic of the same norm.
    weights = {key: _replaced(key, COUNTER, "running_var") for key in keys}
    if not set(weights.values()) <= set(known):
        for part_key, part in parts(model).items():
            _rename_below(weights, known, part_key, key_table_of(part))
    names, found = {}, {}
    for key, weight in weights.items():
        name = weight if weight in known else key
        if key.endswith(COUNTER):
            name = _replaced(name, "running_var", COUNTER)
        if name in found:
            raise LoadError(f"{source}: {key} and {found[name]} are both {name}")
        names[key], found[name] = name, key
    return names


def _replaced(key, end, other):
    return key.removesuffix(end) + other if key.endswith(end) else key


def _rename_below(names, known, part_key, table):
    """Renames, in place, what is below a part."""
    start = f"{part_key}." if part_key else ""
    below = {k: n[len(start) :] for k, n in names.items() if n.startswith(start)}
    inside = {k[len(start) :] for k in known if k.startswith(start)}
    table = table.of_file(below.values())
    for key, name in below.items():
        if table.is_twin(name, inside):
            del names[key]
        else:
            names[key] = start + table.rename(name, inside)

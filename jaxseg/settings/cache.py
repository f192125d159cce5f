"""Cache of a loader: a packed data set that is read in place of its own."""

import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from input_pipeline import datasets, transforms
from input_pipeline.packing.index import FILE_NAME, Index
from input_pipeline.sources import SegDataset
from jaxseg.config import ConfigError, plain
from jaxseg.resolve import resolve

# Where the files are, and what is done with their pixels, may change; not what they
# are, nor what their labels mean.
_MAY_CHANGE = ("data_root", "pipeline")


def dataset_to_pack(
    config: Mapping[str, Any], split: str
) -> tuple[SegDataset, dict[str, Any]]:
    """The data set of a loader, and what of its config is kept with it.

    Args:
        config: a whole config.
        split: `train` or `val`.

    Raises:
        ConfigError: if there is no such loader, or its parts have several pipelines.
        DataError: if the data set cannot be used.
    """
    name = f"{split}_dataloader"
    if not config.get(name):
        raise ConfigError(f"{name} is missing: there is nothing to pack")
    node, path = config[name]["dataset"], f"{name}.dataset"
    while _mixes(node):
        node, path = node["dataset"], f"{path}.dataset"
    _pipeline(node, path)
    return resolve(node, path, (datasets, transforms)), _what_is_packed(node)


def read_from_cache(loader: Mapping[str, Any], path: str) -> dict[str, Any]:
    """A loader whose `cache` takes the place of its data set, with the same pipeline.

    Args:
        loader: `train_dataloader` or `val_dataloader` of a config, with a `cache`.
        path: its name, for errors.

    Raises:
        ConfigError: if the data set was packed by another config.
        DataError: if the folder is no packed data set.
    """
    cache, node = loader["cache"], loader["dataset"]
    if not isinstance(cache, str):
        raise ConfigError(
            f"{path}.cache: expected a folder's path, found {cache!r:.80}"
        )
    if _mixes(node):
        inner = read_from_cache({**loader, "dataset": node["dataset"]}, path)
        return {**loader, "dataset": {**node, "dataset": inner["dataset"]}}
    packed = Index.read(pathlib.Path(cache) / FILE_NAME).header.config
    wanted = _what_is_packed(node)
    if packed != wanted:
        different = [
            f"{key} is {wanted.get(key)!r}, packed was {packed.get(key)!r}"
            for key in dict.fromkeys([*wanted, *packed])
            if wanted.get(key) != packed.get(key)
        ]
        raise ConfigError(
            f"{path}.cache: {cache} holds another data set than {path}.dataset: "
            f"{'; '.join(different)}. Pack it again with scripts/pack_dataset.py"
        )
    pipeline = _pipeline(node, f"{path}.dataset")
    dataset = {"type": "PackedDataset", "path": cache, "pipeline": pipeline}
    return {**loader, "dataset": dataset}


def _mixes(node: Any) -> bool:
    """Whether a data set has a pipeline behind that of the packed one inside."""
    return isinstance(node, Mapping) and {"dataset", "pipeline"} <= node.keys()


def _what_is_packed(node: Any) -> Any:
    """A data set's config without what may change after it was packed."""
    if isinstance(node, (list, tuple)):
        return [_what_is_packed(child) for child in node]
    if not isinstance(node, Mapping):
        return plain(node)
    return {
        str(key): _what_is_packed(child)
        for key, child in node.items()
        if key not in _MAY_CHANGE
    }


def _pipeline(node: Any, path: str) -> Any:
    """The pipeline of a data set; of one made of several, which all of them share."""
    pipelines = list(_pipelines(node))
    for other in pipelines[1:]:
        if other != pipelines[0]:
            raise ConfigError(
                f"{path}: its parts have different pipelines, a packed data set has "
                "one; give them the same, or pack the parts by themselves"
            )
    return pipelines[0] if pipelines else []


def _pipelines(node: Any) -> Iterator[Any]:
    if isinstance(node, (list, tuple)):
        for child in node:
            yield from _pipelines(child)
    elif isinstance(node, Mapping):
        inner = [node[key] for key in ("dataset", "datasets") if key in node]
        if inner:
            yield from _pipelines(inner)
        else:
            yield plain(node.get("pipeline", []))

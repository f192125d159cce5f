"""Loaders without labels: a data set whose images are predicted, not scored."""

from collections.abc import Mapping
from typing import Any

from input_pipeline import datasets
from input_pipeline.transforms.transform import does
from jaxseg.annotations import annotations_of
from jaxseg.registry import lookup
from jaxseg.settings.pipelines import kept_transforms


def without_labels(node: Any, path: str) -> Any:
    """A loader or data set of a config that looks for no labels, at any depth.

    Transforms that make targets go out of its pipelines, and the folder of labels out of
    its `data_prefix`, so that the files need not be there.

    Args:
        node: the loader or data set.
        path: where it stands in the config.
    """
    if isinstance(node, (list, tuple)):
        return [without_labels(child, f"{path}.{i}") for i, child in enumerate(node)]
    if not isinstance(node, Mapping):
        return node
    changed = dict(node)
    for key in ("dataset", "datasets"):
        if key in node:
            changed[key] = without_labels(node[key], f"{path}.{key}")
    if node.get("pipeline"):
        changed["pipeline"] = kept_transforms(
            node["pipeline"],
            f"{path}.pipeline",
            lambda transform: not does(transform, "makes_targets"),
        )
    cls = lookup(node["type"], path, (datasets,)) if "type" in node else None
    if cls is not None and "data_prefix" in annotations_of(cls):
        prefix = cls.__dataclass_fields__["data_prefix"].default_factory()
        given = node.get("data_prefix") or {}
        changed["data_prefix"] = {**prefix, **given, cls.LABEL_PATH: None}
    return changed

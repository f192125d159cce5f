"""Loaders without labels: a data set whose images are predicted, not scored."""

from collections.abc import Mapping, Sequence
from typing import Any

from input_pipeline import datasets, transforms
from input_pipeline.transforms.transform import does
from jaxseg.annotations import annotations_of
from jaxseg.registry import lookup


def without_labels(node: Any, path: str) -> Any:
    """A loader or data set of a config that looks for no labels, at any depth.

    Transforms that make targets go out of its pipelines, and `seg_map_path` out of its
    `data_prefix`, so that the files need not be there.

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
        changed["pipeline"] = _images_alone(node["pipeline"], f"{path}.pipeline")
    cls = lookup(node["type"], path, (datasets,)) if "type" in node else None
    if cls is not None and "data_prefix" in annotations_of(cls):
        prefix = cls.__dataclass_fields__["data_prefix"].default_factory()
        given = node.get("data_prefix") or {}
        changed["data_prefix"] = {**prefix, **given, "seg_map_path": None}
    return changed


def _images_alone(pipeline: Sequence[Mapping[str, Any]], path: str):
    kept = []
    for i, entry in enumerate(pipeline):
        cls = lookup(entry.get("type"), f"{path}.{i}", (transforms,))
        if not does(cls, "makes_targets"):
            kept.append(entry)
    return kept

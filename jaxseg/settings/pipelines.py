"""Pipelines of a config: those of their transforms that are kept."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from input_pipeline import transforms
from jaxseg.config import ConfigError
from jaxseg.registry import lookup


def kept_transforms(
    pipeline: Sequence[Mapping[str, Any]], path: str, is_kept: Callable[[type], bool]
) -> list[Mapping[str, Any]]:
    """The entries of a pipeline whose class is kept.

    Args:
        pipeline: the pipeline of a config.
        path: where it stands, for errors.
        is_kept: asked of the class of each entry.

    Raises:
        ConfigError: if it is no list of dicts, or a class is not known.
    """
    if not isinstance(pipeline, (list, tuple)):
        raise ConfigError(f"{path}: expected a list of dicts, found {pipeline!r:.80}")
    kept = []
    for i, entry in enumerate(pipeline):
        if not isinstance(entry, Mapping):
            raise ConfigError(f"{path}.{i}: expected a dict, found {entry!r:.80}")
        if is_kept(lookup(entry.get("type"), f"{path}.{i}", (transforms,))):
            kept.append(entry)
    return kept

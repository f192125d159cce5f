"""`train_dataloader.augment_on_device`: what of a pipeline the device takes over."""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxseg.config import ConfigError

_TYPES = ("RandomFlip", "PhotoMetricDistortion")


def with_augmentation_on_device(loader: Mapping[str, Any], path: str) -> dict[str, Any]:
    """A loader whose pipelines only draw the flip and the distortion of colours.

    The training step does the rest, `jaxseg.segmentors.augment`.

    Args:
        loader: `train_dataloader` of a config.
        path: its name, for errors.

    Raises:
        ConfigError: if a pipeline has neither of the two, one of them twice, or
            something behind them that would have to be done afterwards.
    """
    dataset = _rewritten(loader["dataset"], f"{path}.dataset")
    return {**loader, "dataset": dataset}


def _rewritten(node: Any, path: str) -> Any:
    """A data set, or several, whose pipelines at any depth are changed."""
    if isinstance(node, (list, tuple)):
        return [_rewritten(child, f"{path}.{i}") for i, child in enumerate(node)]
    if not isinstance(node, Mapping):
        return node
    return {
        key: _only_drawn(child, f"{path}.{key}")
        if key == "pipeline"
        else _rewritten(child, f"{path}.{key}")
        for key, child in node.items()
    }


def _only_drawn(pipeline: Sequence[Mapping[str, Any]], path: str) -> list[Any]:
    types = [entry["type"] for entry in pipeline]
    places = [i for i, name in enumerate(types) if name in _TYPES]
    if not places:
        raise ConfigError(
            f"{path}: augment_on_device is set, and there is none of {_TYPES} in it"
        )
    behind = types[places[0] :]
    for name in behind:
        if name not in (*_TYPES, "PackSegInputs") or behind.count(name) > 1:
            raise ConfigError(
                f"{path}: with augment_on_device, what follows {behind[0]} may be each "
                f"of {_TYPES} once, and PackSegInputs; found {', '.join(behind)}"
            )
    return [
        {**entry, "on_device": True} if entry["type"] in _TYPES else entry
        for entry in pipeline
    ]

"""Augmentation on the device, `augment_on_device`: what of a pipeline it takes over."""

from collections.abc import Mapping, Sequence
from typing import Any

from input_pipeline import transforms
from input_pipeline.transforms.transform import does
from jaxseg.config import ConfigError
from jaxseg.resolve import lookup

# What the training step can do.
_TYPES = tuple(
    name for name in transforms.__all__ if getattr(transforms, name).can_leave_to_device
)


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
    if "pipeline" in node:  # of several, one in the other, the last one
        changed = _only_drawn(node["pipeline"], f"{path}.pipeline")
        return {**node, "pipeline": changed}
    return {key: _rewritten(child, f"{path}.{key}") for key, child in node.items()}


def _only_drawn(pipeline: Sequence[Mapping[str, Any]], path: str) -> list[Any]:
    types = [entry["type"] for entry in pipeline]
    classes = [
        lookup(name, f"{path}.{i}", (transforms,)) for i, name in enumerate(types)
    ]
    left = [does(cls, "can_leave_to_device") for cls in classes]
    if not any(left):
        raise ConfigError(
            f"{path}: augment_on_device is set, and there is none of {_TYPES} in it"
        )
    first = left.index(True)
    behind = types[first:]
    for cls, is_left in zip(classes[first:], left[first:], strict=True):
        repeated = is_left and behind.count(cls.__name__) > 1
        if repeated or (not is_left and does(cls, "touches_pixels")):
            raise ConfigError(
                f"{path}: with augment_on_device, what follows {behind[0]} may be each "
                f"of {_TYPES} once, and PackSegInputs; found {', '.join(behind)}"
            )
    return [
        {**entry, "on_device": True} if is_left else entry
        for entry, is_left in zip(pipeline, left, strict=True)
    ]

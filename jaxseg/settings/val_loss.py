"""Validation loss: the data that `train_cfg.val_loss` measures the losses on."""

from collections.abc import Iterator, Mapping
from typing import Any

from jaxseg.config import ConfigError

# What train_dataloader says of it.
_OF_TRAINING = ("batch_size", "num_workers", "num_threads", "augment_on_device")


def val_loss_loader(
    train_loader: Mapping[str, Any], val_loader: Mapping[str, Any]
) -> dict[str, Any]:
    """The data set of val_dataloader, in batches as those of train_dataloader.

    As in mmcv's `workflow`, the samples go through the training's pipeline: their losses
    are of the same crops as the training's, and a batch has one shape.

    Raises:
        ConfigError: if the training has several pipelines, one after the other.
    """
    pipelines = list(_pipelines(train_loader.get("dataset")))
    if not pipelines or any(found != pipelines[0] for found in pipelines):
        raise ConfigError(
            f"train_cfg.val_loss: train_dataloader.dataset has {len(pipelines)} "
            "pipelines that differ; the validation data need one, that makes batches"
        )
    dataset = _with_pipeline(val_loader.get("dataset"), pipelines[0])
    taken = {key: train_loader[key] for key in _OF_TRAINING if key in train_loader}
    return {"dataset": dataset, **taken}


def _pipelines(node) -> Iterator[Any]:
    """Every pipeline in a data set, at any depth."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key == "pipeline":
                yield value
            else:
                yield from _pipelines(value)
    elif isinstance(node, (list, tuple)):
        for child in node:
            yield from _pipelines(child)


def _with_pipeline(node, pipeline):
    if isinstance(node, (list, tuple)):
        return [_with_pipeline(child, pipeline) for child in node]
    if not isinstance(node, Mapping):
        return node
    return {
        key: pipeline if key == "pipeline" else _with_pipeline(value, pipeline)
        for key, value in node.items()
    }

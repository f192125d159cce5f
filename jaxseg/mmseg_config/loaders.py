"""Loaders of a config of either line: batch size, workers, order of samples."""

from collections.abc import Mapping
from typing import Any

from jaxseg.config import ConfigError
from jaxseg.mmseg_config.line import is_v0
from jaxseg.mmseg_config.report import Report
from jaxseg.mmseg_config.type_names import with_base_type

# How torch's processes live and hand over their batches.
_NO_EFFECT = (
    "dist",
    "multiprocessing_context",
    "persistent_workers",
    "pin_memory",
    "pin_memory_device",
    "prefetch_factor",
    "seed",
    "timeout",
)
# Neither changes anything: the orders that ours has, and stacking.
_SAMPLERS = ("InfiniteSampler", "DefaultSampler")
_COLLATE = ("pseudo_collate", "default_collate")


def read_loader(raw: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """A loader of a config in the keys of 1.x, the data set as it is.

    Args:
        raw: the whole config.
        name: 'train', 'val' or 'test'.

    Returns:
        None where the config has no such data.

    Raises:
        ConfigError: if it has no data set.
    """
    if not is_v0(raw):
        loader = raw.get(f"{name}_dataloader")
        if loader and not (isinstance(loader, Mapping) and loader.get("dataset")):
            raise ConfigError(f"{name}_dataloader: expected a dict with a dataset")
        return dict(loader) if loader else None
    data = raw.get("data") or {}
    if not data.get(name):
        return None
    shared = {
        key: value
        for key, value in data.items()
        if key.partition("_dataloader")[0] not in ("train", "val", "test")
    }
    # mmseg tests one image at a time, unless its own loader says otherwise.
    own = {} if name == "train" else {"samples_per_gpu": 1}
    settings = {**shared, **own, **(data.get(f"{name}_dataloader") or {})}
    before = settings.pop("imgs_per_gpu", 1)  # until 2020
    settings["batch_size"] = settings.pop("samples_per_gpu", before)
    settings["num_workers"] = settings.pop("workers_per_gpu", 0)
    settings["dataset"] = data[name]
    if "shuffle" in settings:
        sampler = {"type": "DefaultSampler", "shuffle": settings.pop("shuffle")}
        settings["sampler"] = sampler
    return settings


def loader_settings(
    loader: Mapping[str, Any], training: bool, path: str, report: Report
) -> dict[str, Any]:
    """The keys of our loader but for its data set.

    Args:
        loader: from `read_loader`.
        training: whether it feeds the training.
        path: where it stands in our config.
        report: is told of what has no counterpart.

    Returns:
        `batch_size`, per GPU as in mmseg, `num_workers`, and of a training `drop_last`
        as far as the config says it.
    """
    rest = dict(loader)
    del rest["dataset"]
    settings = {
        "batch_size": rest.pop("batch_size", 1),
        "num_workers": rest.pop("num_workers", 0),
    }
    drop_last = rest.pop("drop_last", None)
    if training and drop_last is not None:
        settings["drop_last"] = drop_last
    _check_sampler(rest.pop("sampler", None) or {}, training, f"{path}.sampler", report)
    collate = rest.pop("collate_fn", None) or {"type": "pseudo_collate"}
    report.drop(f"{path}.collate_fn", [key for key in collate if key != "type"])
    if collate.get("type") not in _COLLATE:
        report.lacks(f"{path}.collate_fn", str(collate.get("type")))
    batch_sampler = rest.pop("batch_sampler", None)
    if batch_sampler is not None:
        report.lacks(f"{path}.batch_sampler", str(batch_sampler.get("type")))
    report.drop(path, [key for key in rest if key in _NO_EFFECT])
    for key, value in rest.items():
        if value is not None and key not in _NO_EFFECT:
            report.note(f"{path}.{key}: not used")
    return settings


def _check_sampler(sampler, training, path, report):
    name = with_base_type(sampler, path)["type"] if sampler else "DefaultSampler"
    if name not in _SAMPLERS:
        report.lacks(path, name)
    elif training and not sampler.get("shuffle", True):
        report.note(f"{path}: shuffle=False is not used; training samples are shuffled")
    elif not training and sampler.get("shuffle"):
        report.note(f"{path}: shuffle is not used; scores do not depend on the order")
    report.drop(path, [key for key in sampler if key not in ("type", "shuffle")])

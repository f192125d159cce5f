"""Shapes: which parts of an mmseg config are dicts, lists, numbers and texts.

All that the translation looks into is checked here first, so that a wrong type ends in
a sentence with the path in mmseg's own config. What is in a model, a pipeline or the
arguments of an optimiser is checked where our classes are built.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from jaxseg.config import ConfigError
from jaxseg.mmseg_config.line import is_v0


def _is_dict(value):
    return isinstance(value, Mapping)


def _is_list(value):
    return isinstance(value, (list, tuple))


def _is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value):
    return isinstance(value, str)


_KINDS = {
    "a dict": _is_dict,
    "a list": _is_list,
    "a list of dicts": lambda v: _is_list(v) and all(map(_is_dict, v)),
    "a dict, or a list of dicts": lambda v: (
        _is_dict(v) or _is_list(v) and all(map(_is_dict, v))
    ),
    "a whole number": _is_whole,
    "a whole number of 1 at least": lambda v: _is_whole(v) and v >= 1,
    "a text": _is_text,
    "a text, or a list of texts": lambda v: (
        _is_text(v) or _is_list(v) and all(map(_is_text, v))
    ),
}

# {kind: paths}; a * is every key or index. None is allowed everywhere.
_OF_BOTH = {
    "a dict": ("model", "model.data_preprocessor", "custom_imports", "auto_scale_lr")
    + ("randomness", "val_cfg", "test_cfg"),
    "a list of dicts": ("custom_hooks",),
    "a list": ("workflow",),
    "a text": ("custom_hooks.*.type",),
}
_OF_V1 = {
    "a dict": (
        *("optim_wrapper", "optim_wrapper.optimizer", "optim_wrapper.paramwise_cfg"),
        *("optim_wrapper.clip_grad", "optim_wrapper.paramwise_cfg.custom_keys"),
        *("optim_wrapper.paramwise_cfg.custom_keys.*", "train_cfg", "default_hooks"),
        *("default_hooks.*", "visualizer", "tta_model"),
        *("*_dataloader.sampler", "*_dataloader.collate_fn"),
        "*_dataloader.batch_sampler",
    ),
    "a dict, or a list of dicts": ("param_scheduler", "*_evaluator"),
    "a list of dicts": ("visualizer.vis_backends", "tta_pipeline"),
    "a whole number": (
        *("train_cfg.val_begin", "default_hooks.checkpoint.interval"),
        *("default_hooks.checkpoint.max_keep_ckpts", "default_hooks.logger.interval"),
        *("*_dataloader.batch_size", "*_dataloader.num_workers"),
    ),
    "a whole number of 1 at least": (
        *("train_cfg.max_iters", "train_cfg.max_epochs", "train_cfg.val_interval"),
    ),
    "a text": (
        *("optim_wrapper.type", "optim_wrapper.constructor", "param_scheduler.*.type"),
        *("train_cfg.type", "visualizer.vis_backends.*.type"),
        *("optim_wrapper.optimizer.type", "optim_wrapper.paramwise_cfg.decay_type"),
    ),
    "a text, or a list of texts": (
        *("default_hooks.checkpoint.save_best", "*_evaluator.iou_metrics"),
        "*_evaluator.*.iou_metrics",
    ),
}
_OF_V0 = {
    "a dict": (
        *("data", "data.*_dataloader", "optimizer", "optimizer.paramwise_cfg"),
        *("optimizer.paramwise_cfg.custom_keys", "optimizer_config", "lr_config"),
        *("optimizer.paramwise_cfg.custom_keys.*", "runner", "checkpoint_config"),
        *("evaluation", "log_config", "optimizer_config.grad_clip"),
    ),
    "a dict, or a list of dicts": ("data.train", "data.val", "data.test"),
    "a list of dicts": ("log_config.hooks",),
    "a whole number": (
        *("data.samples_per_gpu", "data.imgs_per_gpu", "data.workers_per_gpu"),
        *("data.*_dataloader.samples_per_gpu", "data.*_dataloader.workers_per_gpu"),
        *("checkpoint_config.interval", "checkpoint_config.max_keep_ckpts"),
        *("log_config.interval", "evaluation.start"),
    ),
    "a whole number of 1 at least": (
        *("runner.max_iters", "runner.max_epochs", "evaluation.interval"),
        *("total_iters", "total_epochs"),
    ),
    "a text": (
        *("optimizer.type", "optimizer.constructor", "optimizer_config.type"),
        *("lr_config.policy", "runner.type", "log_config.hooks.*.type"),
        "optimizer.paramwise_cfg.decay_type",
    ),
    "a text, or a list of texts": ("evaluation.metric", "evaluation.save_best"),
}


def check_shapes(raw: Mapping[str, Any]) -> None:
    """Refuses a config of either line in which a part is of a wrong type.

    Raises:
        ConfigError: naming the path, what was found and what is allowed.
    """
    for table in (_OF_BOTH, _OF_V0 if is_v0(raw) else _OF_V1):
        for kind, patterns in table.items():
            for pattern in patterns:
                for path, value in _found(raw, pattern.split(".")):
                    if value is not None and not _KINDS[kind](value):
                        raise ConfigError(
                            f"{path}: expected {kind}, found {value!r:.80}"
                        )


def _found(node: Any, pattern: list[str], at: str = "") -> Iterator[tuple[str, Any]]:
    """(path, value) of all that a pattern names."""
    first, *rest = pattern
    if isinstance(node, Mapping):
        items = node.items()
    elif _is_list(node):
        items = enumerate(node)
    else:
        return
    for key, value in items:
        named = str(key).endswith(first[1:]) if first[0] == "*" else key == first
        if named:
            path = f"{at}.{key}".lstrip(".")
            if rest:
                yield from _found(value, rest, path)
            else:
                yield path, value

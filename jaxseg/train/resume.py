"""Resuming with another config: what differs, and what may not.

A run goes on with the values that it is given now. Most of them only change how it
trains on; some would change what its weights mean, or the order of its samples, and are
refused unless that is asked for.
"""

import dataclasses
import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxseg.config import ConfigError, plain
from jaxseg.settings.loaders import DataLoader
from jaxseg.settings.loop import Randomness
from jaxseg.settings.read import loop_type

_ABSENT = object()
_LONGEST_VALUE = 80

# Keys of a model, at any depth, that change how it learns, or how it is used, and not
# what its weights mean.
_OF_TRAINING = frozenset(
    (
        "attn_drop_rate",
        "drop_path_rate",
        "drop_rate",
        "dropout_ratio",
        "dtype",
        "frozen_stages",
        "init_cfg",
        "loss_decode",
        "norm_eval",
        "precision",
        "pretrained",
        "requires_grad",
        "sampler",
        "size",
        "size_divisor",
        "test_cfg",
        "threshold",
        "train_cfg",
        "with_cp",
    )
)
# Keys that are about a start.
_OF_THE_START = ("resume", "resume_from")
# Keys of a training data set that say where it lies and how it looks.
_OF_PLACE = frozenset(("data_dir", "data_root", "palette"))
# Values that decide which samples make a batch.
_OF_THE_ORDER = (
    "train_dataloader.batch_size",
    "train_dataloader.drop_last",
    "train_cfg.type",
    "randomness.seed",
)


@dataclasses.dataclass(frozen=True)
class Difference:
    """A value that two configs do not have alike.

    Attributes:
        path: in the config, such as `optim_wrapper.optimizer.lr`.
        old: the saved value as text.
        new: the present one.
        types: the `type` of each dict around it, in both configs.
    """

    path: str
    old: str
    new: str
    types: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.path}: {self.old} -> {self.new}"

    @property
    def is_refused(self) -> bool:
        """Whether it changes what the weights mean or the order of the samples."""
        keys = self.path.split(".")
        if keys[0] == "model":
            return _OF_TRAINING.isdisjoint(keys)
        if keys[:2] == ["dataset_meta", "classes"]:
            return True
        if keys[:2] == ["train_dataloader", "dataset"]:
            if (
                "pipeline" in keys
            ):  # what loads says what values mean; the rest augments
                return any(name.startswith("Load") for name in self.types)
            return _OF_PLACE.isdisjoint(keys)
        return self.path in _OF_THE_ORDER


def compare(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    samples: tuple[int | None, int],
) -> list[Difference]:
    """Every difference of two configs.

    Args:
        old: the config that a checkpoint was saved with.
        new: that of this start.
        samples: the number of samples of train_dataloader.dataset, then and now; None
            where it is not known.
    """
    found = list(_differences(_with_defaults(old), _with_defaults(new), "", ()))
    then, now = samples
    if then not in (None, now):
        path = "train_dataloader.dataset"
        found.append(Difference(path, f"{then} samples", f"{now} samples"))
    return found


def check_changes(
    changes: Sequence[Difference], directory: Path, resume_changed: bool
) -> None:
    """Refuses to go on where the changes do not let it.

    Args:
        changes: from `compare`.
        directory: the directory of the checkpoints, for the message.
        resume_changed: whether the user has said that it shall go on all the same.

    Raises:
        ConfigError: naming every change that is in the way.
    """
    refused = [change for change in changes if change.is_refused]
    if refused and not resume_changed:
        raise ConfigError(
            f"{directory} holds a run with another config, and these changes give its "
            "weights another meaning or its samples another order:\n"
            f"{listed(refused)}\n"
            "Take them back; or use another --workdir, and load_from to start from its "
            "weights; or go on all the same with --resume_changed"
        )


def listed(changes: Sequence[Difference]) -> str:
    """A line for each change."""
    return "\n".join(f"  {change}" for change in changes)


def _with_defaults(config):
    """What decides the order of the samples, written out where it was left out."""
    config = json.loads(json.dumps(plain(config)))
    defaults = {
        "train_dataloader": {
            "batch_size": DataLoader.batch_size,
            "drop_last": DataLoader.drop_last,
        },
        "randomness": {"seed": Randomness.seed},
        "train_cfg": {"type": loop_type(config.get("train_cfg") or {})},
    }
    filled = {key: value | (config.get(key) or {}) for key, value in defaults.items()}
    return {k: v for k, v in (config | filled).items() if k not in _OF_THE_START}


def _differences(old, new, path, types) -> Iterator[Difference]:
    if old == new and type(old) is type(new):
        return
    here = (node.get("type") for node in (old, new) if isinstance(node, dict))
    types = (*types, *(name for name in here if isinstance(name, str)))
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            inner = (old.get(key, _ABSENT), new.get(key, _ABSENT))
            if key in old and key in new:
                yield from _differences(*inner, _join(path, key), types)
            else:
                yield _difference(*inner, _join(path, key), types)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _of_lists(old, new, path, types)
    elif old != new:
        yield _difference(old, new, path, types)


def _of_lists(old, new, path, types):
    if len(old) == len(new):
        for i, pair in enumerate(zip(old, new, strict=True)):
            yield from _differences(*pair, _join(path, i), types)
        return
    # An entry that came or went moves those behind it.
    texts = [
        [json.dumps(item, sort_keys=True) for item in items] for items in (old, new)
    ]
    matcher = difflib.SequenceMatcher(None, *texts, autojunk=False)
    for what, i, i_end, j, j_end in matcher.get_opcodes():
        if what == "equal":
            continue
        before, after = old[i:i_end], new[j:j_end]
        for k in range(max(len(before), len(after))):
            pair = [
                items[k] if k < len(items) else _ABSENT for items in (before, after)
            ]
            yield _difference(*pair, _join(path, (i if before else j) + k), types)


def _difference(old, new, path, types):
    here = (node.get("type") for node in (old, new) if isinstance(node, dict))
    types = (*types, *(name for name in here if isinstance(name, str)))
    return Difference(path, _text(old), _text(new), types)


def _text(value):
    text = "nothing" if value is _ABSENT else repr(value)
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "..."


def _join(path, key):
    return f"{path}.{key}" if path else str(key)

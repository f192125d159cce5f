"""Model folder: a config.json with weights beside it, read as our config and keys."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxseg.config import nearest
from jaxseg.weights.files.weights_file import read_weights
from jaxseg.weights.huggingface.errors import HuggingFaceError
from jaxseg.weights.huggingface.families import BACKBONES, SEGMENTORS
from jaxseg.weights.huggingface.fields import read_fields
from jaxseg.weights.huggingface.preprocessor import read_preprocessor, read_windows
from jaxseg.weights.state_dict import StateDictError

CONFIG = "config.json"
PREPROCESSOR = "preprocessor_config.json"
# In the order in which they are looked for; each may come in pieces, with an index.
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
# Ends of the classes that are a backbone, or one with a classifier.
_OF_BACKBONES = ("Model", "Backbone", "ForImageClassification")
_MOST_BYTES = 64 << 20  # of a JSON file


@dataclasses.dataclass(frozen=True)
class ModelFolder:
    """What a folder holds.

    Attributes:
        path: the folder.
        weights: arrays by our keys (mmseg's) and in PyTorch's layout.
        meta: `classes`, where the config names them.
        config: a config of ours, `model` and the test pipeline; or None.
        no_config: why there is none, for errors.
    """

    path: Path
    weights: dict[str, np.ndarray]
    meta: dict[str, Any]
    config: dict[str, Any] | None
    no_config: str = ""


def has_weights(path: Path) -> bool:
    """Whether a folder has a model's weights, whole or in pieces.

    That tells one of Hugging Face's from a run of jaxseg, which has a config.json, too.
    """
    names = [f"{name}{end}" for name in WEIGHTS for end in ("", ".index.json")]
    return any((path / name).is_file() for name in names)


def read_model_folder(path: Path) -> ModelFolder:
    """Reads a folder.

    Raises:
        HuggingFaceError: without a config.json, or for a model that jaxseg does not
            have.
        CheckpointFileError: for weights that cannot be read.
    """
    where = str(path / CONFIG)
    if not (path / CONFIG).is_file():
        raise HuggingFaceError(
            f"{path} has weights and no {CONFIG}, which says of what model they are: "
            "name the file itself, and give a config"
        )
    config = _read_json(path / CONFIG)
    weights = _read_weights(path)
    names = config.get("architectures") or [None]
    name = names[0] if isinstance(names, list) else names
    family = SEGMENTORS.get(name)
    if family is None:
        return _backbone(path, config, name, weights, where)
    fields = read_fields(config, family.defaults, family.only, where)
    part, of_backbone = _backbone_of(family, config, where)
    entry = part.config(of_backbone, where)
    classes = _classes(config, where)
    count = len(classes) or config.get("num_labels", 2)
    model = family.model(fields, entry, part.channels(of_backbone), count)
    start = family.backbone_prefix
    before = start if isinstance(start, str) else ""
    below = {
        k.removeprefix(before): a for k, a in weights.items() if k.startswith(start)
    }
    others = {k: a for k, a in weights.items() if not k.startswith(start)}
    named = _named(others, family.key_table, model, where)
    for key, array in _named(below, part.key_table, entry, where).items():
        named[f"backbone.{key}"] = array
    meta = {"classes": classes} if classes else {}
    preprocessor = path / PREPROCESSOR
    if not preprocessor.is_file():
        reason = f"{path} has no {PREPROCESSOR}, which says how images are prepared"
        return ModelFolder(path, named, meta, None, reason)
    content = _read_json(preprocessor)
    ours, pipeline = read_preprocessor(content, str(preprocessor))
    model |= read_windows(content, str(preprocessor))
    model["data_preprocessor"] = ours | model.get("data_preprocessor", {})
    ours = dict(model=model, val_dataloader=dict(dataset=dict(pipeline=pipeline)))
    return ModelFolder(path, named, meta, ours)


def _backbone_of(family, config, where):
    """The family of a segmentor's backbone, and its fields."""
    inside = config
    if family.backbone is None:
        inside, where = config.get("backbone_config"), f"{where}: backbone_config"
        if not isinstance(inside, Mapping):
            raise HuggingFaceError(
                f"{where} is {inside!r:.60}, allowed: the config of a backbone"
            )
    kind = family.backbone or inside.get("model_type")
    if kind not in BACKBONES:
        raise HuggingFaceError(
            f"{where}: model_type is {kind!r}{nearest(kind, BACKBONES)}; there are "
            f"{', '.join(BACKBONES)}"
        )
    part = BACKBONES[kind]
    return part, read_fields(inside, part.defaults, part.only, where)


def _backbone(path, config, name, weights, where):
    """A folder of a backbone, with or without a classifier."""
    kind = config.get("model_type")
    if kind not in BACKBONES or not str(name).endswith(_OF_BACKBONES):
        raise HuggingFaceError(
            f"{where}: architectures is {name!r}{nearest(name, SEGMENTORS)} and "
            f"model_type {kind!r}; there are {', '.join(SEGMENTORS)}, and backbones of "
            f"the types {', '.join(BACKBONES)}"
        )
    part = BACKBONES[kind]
    entry = part.config(read_fields(config, part.defaults, part.only, where), where)
    weights = {key.removeprefix(part.prefix): a for key, a in weights.items()}
    named = _named(weights, part.key_table, entry, where)
    reason = f"{path} is a {name}, a backbone without a head"
    named = {f"backbone.{key}": array for key, array in named.items()}
    return ModelFolder(path, named, {}, None, reason)


def _named(weights, table, entry, where):
    try:
        kept, _ = table.select(weights, ())
    except StateDictError as error:
        raise HuggingFaceError(f"{where}: {error}") from error
    return dict(table.convert(kept, entry)) if table.convert is not None else kept


def _classes(config, where):
    """The names of the classes in their order; empty if the config has none."""
    names = config.get("id2label") or {}
    if not isinstance(names, Mapping) or {*names} != {
        str(i) for i in range(len(names))
    }:
        raise HuggingFaceError(
            f"{where}: id2label is {names!r:.80}, allowed: a name for each of 0, 1, ..."
        )
    return [str(names[str(i)]) for i in range(len(names))]


def _read_json(path):
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"more than {_MOST_BYTES} bytes")
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise HuggingFaceError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise HuggingFaceError(f"{path} is no JSON object")
    return content


def _read_weights(path):
    for name in WEIGHTS:
        if (path / name).is_file():
            return read_weights(path / name).state_dict
        index = path / f"{name}.index.json"
        if index.is_file():
            return _read_pieces(path, index)
    raise HuggingFaceError(f"{path} has none of {', '.join(WEIGHTS)}")


def _read_pieces(path, index):
    """The weights of several files, which an index names."""
    files = _read_json(index).get("weight_map")
    if not isinstance(files, Mapping):
        raise HuggingFaceError(f"{index} has no weight_map")
    weights = {}
    for name in sorted(set(map(str, files.values()))):
        if Path(name).name != name:
            raise HuggingFaceError(
                f"{index} names {name!r}, which is no file beside it"
            )
        weights |= read_weights(path / name).state_dict
    return weights

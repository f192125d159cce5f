"""Checkpoints of every kind, read to one form and put into models by one rule."""

import dataclasses
import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxseg.checkpoint.reader import open_weights
from jaxseg.errors import JaxsegError
from jaxseg.weights.adapt import first_layer
from jaxseg.weights.download import DownloadError, fetch
from jaxseg.weights.files.mapped_file import CheckpointFileError
from jaxseg.weights.files.weights_file import read_weights
from jaxseg.weights.huggingface.errors import HuggingFaceError
from jaxseg.weights.huggingface.folder import has_weights, read_model_folder
from jaxseg.weights.huggingface.repository import SCHEME, fetch_repository
from jaxseg.weights.key_table import key_table_of
from jaxseg.weights.layout import buffers_of
from jaxseg.weights.names import torch_key
from jaxseg.weights.part import config_path, join, parts
from jaxseg.weights.state_dict import (
    StateDictError,
    from_state_dict,
    to_state_dict,
    torch_axes,
    torch_shapes,
)
from jaxseg.weights.stored import StoredArray, read_all
from jaxseg.weights.zoo import url_of

# Files of weights, by the names that they usually have.
_FILES = (".pth", ".pt", ".bin", ".safetensors", ".npz")


class LoadError(JaxsegError, ValueError):
    """Weights that cannot be read, or that do not fit the model."""


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """What `read_checkpoint` makes of a checkpoint of any kind.

    Attributes:
        path: the path of the file or step that was read.
        weights: arrays by PyTorch's key and in its layout; of a run of ours the moving
            average, where there is one, and otherwise the parameters, as `StoredArray`s
            that are read where they are used: once they are known to fit.
        meta: plain data, as far as it is known: `classes` (names), `palette` (RGB
            lists), `iter`, and whatever else a file says in single values.
        keys: the names of the entries that its source had, in their order.
        config: the config that jaxseg saved with it, or that follows from one of
            Hugging Face's; or None.
        no_config: why there is none, where there is more to say than that.
    """

    path: Path
    weights: dict[str, np.ndarray | StoredArray]
    meta: dict[str, Any]
    keys: list[str]
    config: dict[str, Any] | None = None
    no_config: str = ""

    @functools.cached_property
    def state_dict(self) -> dict[str, np.ndarray]:
        """All of the weights, read."""
        return read_all(self.weights)

    @property
    def step(self) -> int:
        """How many iterations it has seen; 0 where that is not known."""
        step = self.meta.get("iter", 0)
        return step if isinstance(step, int) and step > 0 else 0


def read_checkpoint(source: str | os.PathLike[str]) -> Checkpoint:
    """Reads a checkpoint.

    Args:
        source: one of
            - a work directory, its `checkpoints` folder, or one step in it. Of a
              folder the latest step is taken; with `:best` behind it the best one, by
              the config's save_best;
            - a `.pth`, `.safetensors` or `.npz` file with PyTorch's keys;
            - a model of Hugging Face's: `hf://OWNER/NAME`, or a folder with config.json
              and model.safetensors or pytorch_model.bin;
            - a name such as `open-mmlab://resnet50_v1c`, or an http(s) URL; what is
              downloaded is verified (`download.fetch`).
            A file that is not there, and that mmseg's configs name, is downloaded.
            Several of these with commas between them are the pieces of one model.

    Raises:
        LoadError: if it cannot be read or fetched, with the reason.
        FileNotFoundError, CheckpointError: for a folder without a sound checkpoint.
    """
    source = os.fspath(source)
    path = Path(source).expanduser()
    if "," in source and not path.exists():
        return _read_pieces(source.split(","))
    try:
        if source.startswith(SCHEME):
            path = fetch_repository(source)
        elif "://" in source or not path.exists():
            url = url_of(source)
            path = path if url is None else fetch(url)
        if path.is_file():
            file = read_weights(path)
            keys = list(file.state_dict)
            return Checkpoint(path, file.state_dict, file.meta, keys)
        if path.suffix in _FILES:
            raise LoadError(f"{path}: there is no such file")
        if has_weights(path):
            found = read_model_folder(path)
            keys = list(found.weights)
            return Checkpoint(
                path, found.weights, found.meta, keys, found.config, found.no_config
            )
    except (CheckpointFileError, DownloadError, HuggingFaceError) as error:
        raise LoadError(str(error)) from error
    return _read_folder(path)


def _read_pieces(sources):
    """One checkpoint of several with different keys; the first one's meta data."""
    pieces = [read_checkpoint(source) for source in sources]
    weights = {}
    for piece in pieces:
        if both := weights.keys() & piece.weights.keys():
            raise LoadError(
                f"{piece.path} and a file before it in {','.join(sources)} both have "
                f"{min(both)}: pieces of one model have different keys"
            )
        weights |= piece.weights
    keys = [key for piece in pieces for key in piece.keys]
    return dataclasses.replace(pieces[0], weights=weights, keys=keys)


def _read_folder(path):
    folder, best, _ = str(path).rpartition(":best")
    saved = open_weights(folder, "best") if best else open_weights(path)
    collections = {name.split("/")[0] for name in saved.arrays}
    params = "ema" if "ema" in collections else "params"
    weights = {}
    for name, entry in saved.arrays.items():
        collection, *path_in_tree = name.split("/")
        if collection not in (params, "batch_stats") or not path_in_tree:
            continue
        key, axes = torch_key(path_in_tree), torch_axes(path_in_tree, entry["shape"])
        if key in weights:
            raise LoadError(f"{saved.path}: two arrays are both {key}")
        shape = tuple(entry["shape"][axis] for axis in axes)
        dtype = jax.numpy.dtype(entry["dtype"])
        weights[key] = StoredArray(saved, name, axes, shape, dtype)
    config, source = saved.config, saved.source
    if source is None:
        meta = {**_dataset_meta(config), "iter": saved.step}
        return Checkpoint(saved.path, weights, meta, list(weights), config)
    counts = {k: np.asarray(n, np.int64) for k, n in source["counters"].items()}
    keys = source["keys"]
    weights = in_order(weights | counts, keys)
    return Checkpoint(saved.path, weights, source["meta"], keys, config)


def _dataset_meta(config):
    meta = config.get("dataset_meta")
    return meta if isinstance(meta, Mapping) else {}


def in_order(state_dict: Mapping[str, Any], keys: list[str]) -> dict[str, Any]:
    """The entries in the order of `keys`; those that are not among them come last."""
    first = {key: state_dict[key] for key in keys if key in state_dict}
    return first | dict(state_dict)


def fill(
    state_dict: Mapping[str, np.ndarray], target: Any, source: str, model: Any
) -> dict[str, Any]:
    """Puts a state dict into the tree of a model, every value as it is.

    Args:
        state_dict: the state dict of a checkpoint, in the model's layout
            (`prefix.for_model`).
        target: params and batch_stats of the model, or their shapes; or the part of
            them that the state dict is for.
        source: where the weights are from, for errors.
        model: the segmentor, whose parts know what mmseg's files have besides.

    Raises:
        LoadError: listing every missing, unexpected and misshapen key.
    """
    try:
        return from_state_dict(state_dict, target, source, buffers_of(model))
    except StateDictError as error:
        advice = _advice(state_dict, torch_shapes(target), model)
        raise LoadError("\n".join([str(error), *advice])) from error


def _advice(state_dict, shapes, model):
    for part_key, part in parts(model).items():
        for field, key in key_table_of(part).fields.items():
            key = join(part_key, key)
            if (key in state_dict) != (key in shapes):
                yield (
                    f"{key} belongs to {config_path(part_key, model)}.{field}="
                    f"{key in state_dict}, and the model has {field}={key in shapes}"
                )
    if first_layer(state_dict, shapes) is not None:
        yield (
            "the weights are for images of 3 channels. Where a training starts from "
            "them, adapt_in_channels=True in the config adapts the first layer; "
            "scripts/convert_checkpoint.py --adapt-in-channels writes such a checkpoint"
        )


def as_variables(tree: Any, target: Any, source: str) -> Any:
    """Weights as a model computes with them: in the model's types, and finite.

    Args:
        tree: from `fill`.
        target: the model's variables, or their shapes.
        source: where the weights are from, for errors.

    Raises:
        LoadError: naming weights that are not finite.
    """
    with np.errstate(over="ignore"):  # of a float64 that is too large for float32
        tree = jax.tree.map(lambda a, t: np.asarray(a, t.dtype), tree, dict(target))
    state_dict = to_state_dict(tree)
    bad = [key for key, array in state_dict.items() if not np.isfinite(array).all()]
    if bad:
        more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
        raise LoadError(
            f"{source}: {len(bad)} weights hold values that are not finite: "
            f"{', '.join(bad[:5])}{more}"
        )
    return tree

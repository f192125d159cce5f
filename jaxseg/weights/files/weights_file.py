"""Weights in a file of any kind: PyTorch's own, safetensors, npz."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxseg.weights.files import stored_zip
from jaxseg.weights.files.checkpoint_tree import plain_meta, state_dict_of
from jaxseg.weights.files.mapped_file import CheckpointFileError, MappedFile
from jaxseg.weights.files.npz import read_npz, write_npz
from jaxseg.weights.files.pth import read_mapped
from jaxseg.weights.files.pth_writer import write_pth
from jaxseg.weights.files.safetensors import (
    is_safetensors,
    read_safetensors,
    write_safetensors,
)

_WRITERS = {
    ".pth": write_pth,
    ".safetensors": write_safetensors,
    ".npz": write_npz,
}


@dataclasses.dataclass(frozen=True)
class WeightsFile:
    """What a file of weights holds.

    Attributes:
        state_dict: read-only arrays on the mapped file, by PyTorch's key and in its
            layout.
        meta: plain data, as far as it is known: `classes` (names), `palette` (RGB
            lists), `config` (the text of mmseg's config), `iter`, `epoch`, and other
            single values.
    """

    state_dict: dict[str, np.ndarray]
    meta: dict[str, Any]


def read_weights(path: str | os.PathLike[str]) -> WeightsFile:
    """Reads a file of weights, of a kind that its content tells and not its name.

    Args:
        path: the path of a file of torch.save, a safetensors file, or an npz file of
            `np.savez`.

    Raises:
        CheckpointFileError: naming the file and what is wrong with it.
    """
    try:
        file = MappedFile(path)
        if is_safetensors(file):
            state_dict, meta = read_safetensors(file)
        elif file.startswith(b"PK") and _is_npz(file):
            state_dict, meta = read_npz(file)
        else:
            return WeightsFile(*state_dict_of(read_mapped(file)))
        if not state_dict:
            raise CheckpointFileError("holds no weights")
        return WeightsFile(state_dict, plain_meta(meta))
    except CheckpointFileError as error:
        raise CheckpointFileError(f"{os.fspath(path)}: {error}") from error


def _is_npz(file):
    return any(name.endswith(".npy") for name in stored_zip.entries(file))


def write_weights(
    path: str | os.PathLike[str],
    state_dict: Mapping[str, np.ndarray],
    meta: Mapping[str, Any],
) -> None:
    """Writes a file of weights; `read_weights` gives the same back, bit for bit.

    Args:
        path: ending in .pth, .safetensors or .npz, which says the kind. A file that is
            there is replaced once the new one is complete.
        state_dict: arrays by PyTorch's key and in its layout.
        meta: as in `WeightsFile`.

    Raises:
        ValueError: for another ending.
        TypeError: for what the kind of file cannot hold.
    """
    suffix = pathlib.Path(path).suffix
    if suffix not in _WRITERS:
        raise ValueError(
            f"{os.fspath(path)}: weights are written to files ending in "
            f"{', '.join(_WRITERS)}"
        )
    _WRITERS[suffix](path, state_dict, meta)

"""Safetensors: weights in such files, with PyTorch's keys and layout."""

import json
import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from jaxseg.weights.files.atomic_file import replaced
from jaxseg.weights.files.mapped_file import CheckpointFileError, MappedFile, shown
from jaxseg.weights.files.torch_storage import DTYPES

_NAMES = {
    "F16": "float16",
    "F32": "float32",
    "F64": "float64",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "C64": "complex64",
    "I8": "int8",
    "I16": "int16",
    "I32": "int32",
    "I64": "int64",
    "U8": "uint8",
    "U16": "uint16",
    "U32": "uint32",
    "U64": "uint64",
    "BOOL": "bool",
}


def is_safetensors(file: MappedFile) -> bool:
    """Whether a file begins like one: the length of a header, and its brace."""
    return file.data[8:9] == b"{" and _header(file) <= file.size


def _header(file):
    return 8 + int.from_bytes(file.data[:8], "little")


def read_safetensors(file: MappedFile) -> tuple[dict[str, np.ndarray], Any]:
    """Returns the arrays, as views on the file, and the data under 'meta'.

    The library checks the header and says what there is; its own arrays would be
    copies, twice the size of the file in memory.

    Raises:
        CheckpointFileError: for a damaged file.
    """
    state_dict, position = {}, _header(file)
    try:
        with safetensors.safe_open(file.path, "numpy") as opened:
            meta = json.loads((opened.metadata() or {}).get("meta", "{}"))
            # The format has no gaps between them.
            for key in opened.offset_keys():
                entry = opened.get_slice(key)
                shape, name = tuple(entry.get_shape()), entry.get_dtype()
                if name not in _NAMES:
                    raise CheckpointFileError(
                        f"{shown(key)} is of dtype {name}; allowed are "
                        f"{', '.join(_NAMES)}"
                    )
                dtype = DTYPES[_NAMES[name]]
                state_dict[key] = file.array(position, shape, dtype)
                position += math.prod(shape) * dtype.itemsize
    except CheckpointFileError:
        raise
    except (safetensors.SafetensorError, ValueError, RecursionError) as error:
        raise CheckpointFileError(f"the file is damaged ({error})") from error
    return state_dict, meta


def write_safetensors(
    path: str | os.PathLike[str],
    state_dict: Mapping[str, np.ndarray],
    meta: Mapping[str, Any],
) -> None:
    """Writes arrays and, as JSON under 'meta' of the header, plain data.

    Raises:
        TypeError: for a dtype that the format does not have.
    """
    # The library writes the memory of a transposed array as it lies there.
    arrays = {key: np.asarray(v, order="C") for key, v in state_dict.items()}
    for key, array in arrays.items():
        if array.dtype.name not in _NAMES.values():
            raise TypeError(
                f"{key} is of dtype {array.dtype.name}; safetensors has "
                f"{', '.join(_NAMES.values())}"
            )
    # 'pt' says that the layout is PyTorch's.
    header = {"format": "pt", "meta": json.dumps(meta)}
    with replaced(path) as new:
        safetensors.numpy.save_file(arrays, new, header)

"""NPZ: weights in NumPy's files, with PyTorch's keys and layout."""

import json
import math
import os
import re
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxseg.weights.files import stored_zip
from jaxseg.weights.files.atomic_file import replaced
from jaxseg.weights.files.mapped_file import CheckpointFileError, MappedFile, shown
from jaxseg.weights.files.torch_storage import DTYPES

# A text of JSON: {"meta": plain data, "dtypes": {key: name of a dtype}}. An npz file
# has no name for bfloat16 and keeps it as two bytes.
META = "__meta__"
# As NumPy writes it; what it writes differently is no plain array.
_HEADER = re.compile(
    rb"\{'descr': '([<>|][biufcUV][1-9]\d{0,8})', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,15}, ?){0,31}\d{0,15})\), \} *\n"
)


def read_npz(file: MappedFile) -> tuple[dict[str, np.ndarray], Any]:
    """Returns the arrays, as views on the file, and the plain data beside them.

    Raises:
        CheckpointFileError: for a damaged file, a compressed one
            (`np.savez_compressed`), and arrays of anything but numbers.
    """
    arrays = {
        name.removesuffix(".npy"): _read_npy(file, name, start, size)
        for name, (start, size) in stored_zip.entries(file).items()
    }
    try:
        about = json.loads(_text(arrays.pop(META))) if META in arrays else {}
        meta, dtypes = about.get("meta", {}), about.get("dtypes", {})
        for key, name in dtypes.items():
            arrays[key] = arrays[key].view(DTYPES[name])
    except (
        ValueError,
        KeyError,
        AttributeError,
        TypeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise CheckpointFileError(
            f"its entry {META} is damaged ({type(error).__name__})"
        ) from error
    for key, array in arrays.items():
        if array.dtype.name not in DTYPES:
            raise CheckpointFileError(
                f"{shown(key)} is of dtype {array.dtype}; allowed are "
                f"{', '.join(DTYPES)}"
            )
    return arrays, meta


def _text(array):
    if array.dtype.kind != "U" or array.ndim:
        raise TypeError("no text")
    # Not by NumPy, which makes texts of numbers that are no characters.
    codes = np.frombuffer(array.tobytes(), "<u4")
    return "".join(map(chr, codes.tolist())).rstrip("\0")


def _read_npy(file, name, start, size):
    # Version 1.0, and the length of the header in two bytes.
    head = file.data[start : start + min(size, 1 << 16)]
    header = _HEADER.match(head[10 : 10 + int.from_bytes(head[8:10], "little")])
    if not head.startswith(b"\x93NUMPY\x01\0") or header is None:
        raise CheckpointFileError(f"the entry {shown(name)} is no array of numbers")
    descr, fortran, sizes = (group.decode() for group in header.groups())
    shape = tuple(int(n) for n in sizes.split(",") if n.strip())
    try:
        dtype = np.dtype(descr)
    except TypeError as error:
        raise CheckpointFileError(f"{shown(name)} is of dtype {descr}") from error
    begin = start + 10 + int.from_bytes(head[8:10], "little")
    if begin + math.prod(shape) * dtype.itemsize > start + size:
        raise CheckpointFileError(f"the entry {shown(name)} is cut short")
    array = file.array(begin, shape[::-1] if fortran == "True" else shape, dtype)
    return array.T if fortran == "True" else array


def write_npz(
    path: str | os.PathLike[str],
    state_dict: Mapping[str, np.ndarray],
    meta: Mapping[str, Any],
) -> None:
    """Writes what `np.load(path)` reads; one array at a time is copied.

    Raises:
        TypeError: for arrays of anything but numbers.
    """
    arrays = {key: np.asarray(value) for key, value in state_dict.items()}
    for key, array in arrays.items():
        if array.dtype.name not in DTYPES:
            raise TypeError(f"{key} is of dtype {array.dtype}, which is no number")
    dtypes = {k: a.dtype.name for k, a in arrays.items() if a.dtype.kind == "V"}
    about = np.array(json.dumps({"meta": meta, "dtypes": dtypes}))
    with replaced(path) as new, zipfile.ZipFile(new, "w") as archive:
        for key, array in [*arrays.items(), (META, about)]:
            # The header is at most 10 000 bytes and matters for the limit of 2 GB.
            size = array.nbytes + 10_000
            array = np.asarray(array, array.dtype.newbyteorder("<"))
            with stored_zip.new_entry(archive, f"{key}.npy", size) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)

"""MAT: the label in a MATLAB file, of version 5, or of 7.3 (HDF5) by h5py."""

import re
import struct
import zlib
from typing import BinaryIO

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.formats.files import open_file
from input_pipeline.formats.limits import BYTES_PER_PIXEL, check_size
from input_pipeline.formats.mat5 import find_matrices

_HDF5 = b"\x89HDF\r\n\x1a\n"
_DEPTH = 16  # of structs and cells in one another
_HDF5_AT = 512  # MATLAB puts a text before it


def read_mat(path: str, max_pixels: int, variable: str = "") -> np.ndarray:
    """The matrix of a .mat file, (H, W), of the type it has; of doubles, integers.

    Args:
        path: the file.
        max_pixels: the largest H * W.
        variable: its name, or MATLAB's way to it in structs and cells: 'struct.field',
            'groundTruth{1}.Segmentation', 'list(2).mask'; '' takes the one matrix of
            numbers that there is outside of them.

    Raises:
        DataError: no such file, none or several matrices, fractions, an oversized one;
            version 7.3 where h5py is not installed.
    """
    with open_file(path) as file:
        return decode_mat(file, path, max_pixels, variable)


def decode_mat(
    file: BinaryIO, path: str, max_pixels: int, variable: str = ""
) -> np.ndarray:
    """The matrix of an open .mat file, `path` being its name for errors; as `read_mat`."""
    start = file.read(_HDF5_AT + len(_HDF5))
    file.seek(0)
    if _HDF5 in (start[: len(_HDF5)], start[_HDF5_AT:]):
        found = _of_hdf5(path, file, max_pixels, variable)
    else:
        found = _of_version_5(path, file, max_pixels, variable)
    if found.dtype.kind == "f":
        if not (found == np.rint(found)).all() or np.abs(found).max() > 2**31:
            raise DataError(
                f"{path}: the matrix has fractions or NaN; a label has integers."
            )
        return found.astype(np.int64)
    return found


def _of_version_5(path, file, max_pixels, variable):
    try:
        root, inside = _parted(variable)
        most = max_pixels * BYTES_PER_PIXEL
        held = find_matrices(file.read(), root if inside else "", most)
        shapes = {name: matrix.shape for name, matrix in held.items()}
        name = _chosen(path, shapes, variable)
        check_size(path, held[name].shape, "float64", max_pixels)
        return held[name].read()
    except DataError:
        raise
    except (
        *(ValueError, KeyError, OSError, StopIteration, struct.error, zlib.error),
        *(MemoryError, OverflowError),
    ) as error:
        raise DataError(
            f"{path}: no MATLAB file that can be read, or a damaged one ({error})."
        ) from error


def _of_hdf5(path, file, max_pixels, variable):
    try:
        import h5py
    except ImportError as error:
        raise DataError(
            f"{path}: a MATLAB file of version 7.3 needs h5py: pip install "
            "'jaxseg[mat73]'; or save it with -v7."
        ) from error
    try:
        with h5py.File(file, "r") as content:
            root, inside = _parted(variable)
            entries = content.items()
            if inside:
                entries = [(name, entry) for name, entry in entries if name == root]
            held = dict(_of_entries(entries, content, _DEPTH if inside else 0))
            # HDF5 has rows first, MATLAB columns.
            shapes = {name: entry.shape[::-1] for name, entry in held.items()}
            name = _chosen(path, shapes, variable)
            check_size(path, shapes[name], "float64", max_pixels)
            return held[name][()].T
    except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: a damaged HDF5 file ({error}).") from error


def _parted(variable):
    """(the variable that is in the file, the way in it)."""
    root = re.match(r"[^.({]*", variable)[0]
    return root, variable[len(root) :]


def _of_entries(entries, file, depth):
    """(name, matrix) of matrices of numbers; with a `depth` those in groups, too.

    MATLAB writes a struct as a group of its fields, a cell as references to its parts,
    and each field of an array of structs as one cell.
    """
    for name, entry in entries:
        if hasattr(entry, "items"):
            inside = [(f"{name}.{field}", part) for field, part in entry.items()]
        elif entry.dtype.kind == "O" and depth:
            parts = enumerate(entry[()].ravel(), 1)
            inside = [(f"{name}{{{number}}}", file[part]) for number, part in parts]
        else:
            inside = []
            if entry.dtype.kind in "iufb" and len(entry.shape) == 2:
                yield name, entry
        if depth:
            yield from _of_entries(inside, file, depth - 1)


def _chosen(path, shapes, variable):
    """The variable of that name, or the only one that is neither vector nor number."""
    if variable:
        if variable in shapes:
            return variable
        names = _some(shapes)
        raise DataError(
            f"{path}: no matrix of numbers is called {variable!r} (mat_variable of "
            f"LoadAnnotations); there are: {names}."
        )
    held = [name for name, shape in shapes.items() if min(shape) > 1]
    if len(held) != 1:
        names = _some(held)
        raise DataError(
            f"{path}: {len(held)} matrices of numbers ({names}); name the label by "
            "mat_variable of LoadAnnotations, in a struct as 'struct.field', in a cell "
            "as 'cell{1}'."
        )
    return held[0]


def _some(names):
    names = list(names)
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return (", ".join(names[:12]) or "none") + more

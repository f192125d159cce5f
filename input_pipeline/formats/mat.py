"""MAT: the label in a MATLAB file, of version 5, or of 7.3 (HDF5) by h5py."""

import struct
import zlib
from typing import BinaryIO

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.formats.files import open_file
from input_pipeline.formats.limits import BYTES_PER_PIXEL, check_size
from input_pipeline.formats.mat5 import find_matrices

_HDF5 = b"\x89HDF\r\n\x1a\n"
_HDF5_AT = 512  # MATLAB puts a text before it


def read_mat(path: str, max_pixels: int, variable: str = "") -> np.ndarray:
    """The matrix of a .mat file, (H, W), of the type it has; of doubles, integers.

    Args:
        path: the file.
        max_pixels: the largest H * W.
        variable: its name, or 'struct.field' (version 5); '' takes the one matrix of
            numbers that there is outside of structs.

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
        structure = variable.rpartition(".")[0]
        held = find_matrices(file.read(), structure, max_pixels * BYTES_PER_PIXEL)
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
            held = {
                name: entry.shape[::-1]  # HDF5 has rows first, MATLAB columns
                for name, entry in content.items()
                if isinstance(entry, h5py.Dataset)
                and entry.dtype.kind in "iufb"
                and len(entry.shape) == 2
            }
            name = _chosen(path, held, variable)
            check_size(path, held[name], "float64", max_pixels)
            return content[name][()].T
    except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: a damaged HDF5 file ({error}).") from error


def _chosen(path, shapes, variable):
    """The variable of that name, or the only one that is neither vector nor number."""
    if variable:
        if variable in shapes:
            return variable
        names = ", ".join(shapes) or "none"
        raise DataError(
            f"{path}: no matrix of numbers is called {variable!r} (mat_variable of "
            f"LoadAnnotations); there are: {names}."
        )
    held = [name for name, shape in shapes.items() if min(shape) > 1]
    if len(held) != 1:
        names = ", ".join(held) or "none"
        raise DataError(
            f"{path}: {len(held)} matrices of numbers ({names}); name the label by "
            "mat_variable of LoadAnnotations, in a struct as 'struct.field'. A cell is "
            "not read."
        )
    return held[0]

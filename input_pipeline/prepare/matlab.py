"""MATLAB files of published data sets: label matrices, also within structures."""

import io
import zlib

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.prepare.archive import Member, read_member
from input_pipeline.prepare.converter import Outputs
from input_pipeline.prepare.output import as_png
from input_pipeline.prepare.pixels import replace_ids

# A matrix of MAX_PIXELS doubles.
_MOST_BYTES = 1 << 30


def read_matrix(member: Member, *names: str) -> np.ndarray:
    """An integer matrix of a .mat file of version 5.

    Args:
        member: the file.
        *names: its variable, and the fields below that.

    Returns:
        (H, W) integers.

    Raises:
        DataError: another file, another structure, or fractions.
    """
    from scipy.io import loadmat  # here: most data sets have no use for it
    from scipy.io.matlab import MatReadError

    data = read_member(member, _MOST_BYTES)
    try:
        value = loadmat(io.BytesIO(data), variable_names=names[:1])[names[0]]
        for name in names[1:]:
            value = value.reshape(-1)[0][name]
        matrix = np.asarray(value)
    except (
        *(MatReadError, ValueError, TypeError, KeyError, IndexError, OSError),
        *(zlib.error, NotImplementedError, OverflowError),
    ) as error:
        raise DataError(
            f"{member}: no MATLAB file with {'.'.join(names)}, or a damaged one ({error})."
        ) from error
    if matrix.ndim != 2 or matrix.dtype.kind not in "buif":
        raise DataError(
            f"{member}: {'.'.join(names)} is {matrix.shape} {matrix.dtype}; expected is "
            "a matrix of integers."
        )
    whole = matrix.astype(np.int64)
    if (whole != matrix).any():
        raise DataError(f"{member}: {'.'.join(names)} has fractions; a label has none.")
    return whole


def matrix_png(
    member: Member,
    to: str,
    names: tuple[str, ...],
    table: tuple[tuple[int, int], ...],
    others: int | None = None,
) -> Outputs:
    """A label matrix as PNG, its ids replaced; as `ids_png`."""
    label = read_matrix(member, *names)
    yield to, as_png(replace_ids(label, dict(table), others, str(member)))

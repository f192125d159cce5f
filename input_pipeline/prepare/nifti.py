"""NIfTI-1: volumes of medical images, .nii and .nii.gz (https://nifti.nimh.nih.gov)."""

import struct

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.prepare.archive import Member, read_member

_HEADER = 348
_DTYPES = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
}


def read_nifti(member: Member) -> np.ndarray:
    """A volume, (X, Y, Z), with the file's own scale and offset applied.

    Returns:
        The stored type where scale and offset are none, otherwise float64.

    Raises:
        DataError: another format, other than three axes, or a truncated file.
    """
    data = read_member(member)
    if len(data) < _HEADER:
        raise DataError(f"{member}: {len(data)} bytes are no NIfTI-1 file.")
    order = next(
        (o for o in "<>" if struct.unpack_from(f"{o}i", data)[0] == _HEADER), None
    )
    if order is None or data[344:348] != b"n+1\0":
        raise DataError(f"{member}: no NIfTI-1 file of one part (.nii).")
    axes = struct.unpack_from(f"{order}8h", data, 40)
    code = struct.unpack_from(f"{order}h", data, 70)[0]
    start, scale, offset = struct.unpack_from(f"{order}3f", data, 108)
    shape = axes[1 : 1 + axes[0]] if 3 <= axes[0] <= 7 else ()
    if len(shape) < 3 or min(shape[:3]) < 1 or any(n != 1 for n in shape[3:]):
        raise DataError(f"{member}: axes {axes[1:]}; expected are three.")
    if code not in _DTYPES:
        raise DataError(f"{member}: values of NIfTI's type {code}, which is not read.")
    dtype = np.dtype(order + _DTYPES[code])
    shape = shape[:3]
    count = int(np.prod(shape, dtype=np.int64))
    if not start >= _HEADER or len(data) < start + count * dtype.itemsize:
        raise DataError(f"{member}: {len(data)} bytes are too few for {shape} {dtype}.")
    values = np.frombuffer(data, dtype, count, int(start)).reshape(shape, order="F")
    # A scale of 0 says that there is none; so does one that is no number.
    if (
        scale == 0
        or not np.isfinite([scale, offset]).all()
        or (scale, offset) == (1, 0)
    ):
        return values
    return values.astype(np.float64) * scale + offset

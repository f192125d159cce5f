"""Torch storages, and tensors as views on them."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np

from jaxseg.weights.files.mapped_file import CheckpointFileError, MappedFile, shown

# torch's name of a dtype -> ours, little-endian as the file is.
DTYPES = {
    name: np.dtype(dtype).newbyteorder("<")
    for name, dtype in {
        "float16": np.float16,
        "float32": np.float32,
        "float64": np.float64,
        "bfloat16": ml_dtypes.bfloat16,
        "float8_e4m3fn": ml_dtypes.float8_e4m3fn,
        "float8_e4m3fnuz": ml_dtypes.float8_e4m3fnuz,
        "float8_e5m2": ml_dtypes.float8_e5m2,
        "float8_e5m2fnuz": ml_dtypes.float8_e5m2fnuz,
        "complex64": np.complex64,
        "complex128": np.complex128,
        "int8": np.int8,
        "int16": np.int16,
        "int32": np.int32,
        "int64": np.int64,
        "uint8": np.uint8,
        "uint16": np.uint16,
        "uint32": np.uint32,
        "uint64": np.uint64,
        "bool": np.bool_,
    }.items()
}

# The classes of storages; the dtypes that have none lie in an untyped one.
STORAGES = {
    "HalfStorage": "float16",
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "BFloat16Storage": "bfloat16",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
    "CharStorage": "int8",
    "ShortStorage": "int16",
    "IntStorage": "int32",
    "LongStorage": "int64",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "UntypedStorage": "uint8",
}

# NumPy's own limit is 64 as well.
_MAX_DIMS = 64
# An expanded view has more elements than its storage. Without a limit a file of a
# hundred bytes holds a tensor of terabytes.
_MAX_EXPANDED = 1 << 24

_NOWHERE = np.broadcast_to(np.uint8(0), (0,))


def is_count(value: Any) -> bool:
    """Whether this is a size or an offset that a file may name."""
    return type(value) is int and 0 <= value < 1 << 48


@dataclasses.dataclass(frozen=True)
class Storage:
    """A block of a file that tensors are views on.

    Attributes:
        dtype: the data type of its elements.
        numel: how many there are.
        file: where they are; None while a legacy file's list of storages, which comes
            after the tensors, has not been read.
        start: the byte of the file where they begin.
    """

    dtype: np.dtype
    numel: int
    file: MappedFile | None = None
    start: int = 0

    def slice(self, offset: int, numel: int) -> "Storage":
        """The `numel` elements from `offset` on."""
        if not (is_count(offset) and is_count(numel) and offset + numel <= self.numel):
            raise CheckpointFileError(
                f"elements {shown(offset)} to +{shown(numel)} of a storage of "
                f"{self.numel}"
            )
        start = self.start + offset * self.dtype.itemsize
        return dataclasses.replace(self, numel=numel, start=start)

    def view(
        self,
        offset: int,
        size: Sequence[int],
        stride: Sequence[int],
        dtype: np.dtype | None = None,
    ) -> np.ndarray:
        """A tensor on the storage.

        Args:
            offset: the offset of its first element in the storage, in elements of the
                tensor.
            size: its shape.
            stride: elements from one entry to the next, for every axis.
            dtype: the data type of the tensor, where the storage is untyped.

        Returns:
            A read-only array; an empty one while the storage has no place yet.

        Raises:
            CheckpointFileError: if an element would lie outside of the storage.
        """
        dtype = dtype or self.dtype
        whole = self.numel * self.dtype.itemsize // dtype.itemsize
        if not (
            len(size) == len(stride) <= _MAX_DIMS
            and all(map(is_count, [offset, *size, *stride]))
        ):
            raise CheckpointFileError(
                "a tensor's offset, size and stride are not those of a tensor"
            )
        numel = math.prod(size)
        last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
        if numel and last >= whole:
            raise CheckpointFileError(
                f"a tensor of size {shown(str(tuple(size)))} reaches element {last} of "
                f"a storage that has {whole}"
            )
        if numel > max(whole, _MAX_EXPANDED):
            raise CheckpointFileError(
                f"a tensor of {shown(numel)} elements repeats a storage of {whole}"
            )
        if self.file is None:
            return _NOWHERE
        start = self.start + offset * dtype.itemsize
        strides = tuple(step * dtype.itemsize for step in stride)
        return self.file.array(start, tuple(size), dtype, strides)

"""Stored arrays of a run's checkpoint, read once it is known that they fit.

What a checkpoint says of its arrays is short; the arrays may be large, and of a file
that attacks far larger than its files are.
"""

from collections.abc import Collection, Mapping
from typing import Any, Protocol

import numpy as np


class Saved(Protocol):
    """A checkpoint that reads the arrays that it is asked for, by their names."""

    def read(self, names: Collection[str]) -> Mapping[str, np.ndarray]: ...


class StoredArray:
    """One such array, in PyTorch's layout. NumPy reads it where it is used.

    Attributes:
        saved: the checkpoint.
        name: the name of the array in it.
        axes: those of the stored array in PyTorch's order.
        shape: in PyTorch's order.
        dtype: the data type of the elements.
    """

    def __init__(
        self,
        saved: Saved,
        name: str,
        axes: tuple[int, ...],
        shape: tuple[int, ...],
        dtype: np.dtype,
    ):
        self.saved, self.name, self.axes = saved, name, axes
        self.shape, self.dtype = shape, dtype

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.asarray(read_all({"": self})[""], dtype, copy=copy)


def read_all(arrays: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The arrays by key, those that are not read yet at once."""
    names = {}
    for array in arrays.values():
        if isinstance(array, StoredArray):
            names.setdefault(array.saved, set()).add(array.name)
    read = {saved: saved.read(wanted) for saved, wanted in names.items()}
    return {
        key: read[array.saved][array.name].transpose(array.axes)
        if isinstance(array, StoredArray)
        else np.asarray(array)
        for key, array in arrays.items()
    }

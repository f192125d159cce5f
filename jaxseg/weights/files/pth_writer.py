"""PTH writer: checkpoints for PyTorch, written without PyTorch."""

import collections
import os
import struct
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxseg.weights.files.atomic_file import replaced
from jaxseg.weights.files.checkpoint_tree import tree_of
from jaxseg.weights.files.stored_zip import new_entry
from jaxseg.weights.files.torch_storage import DTYPES, STORAGES

# `UntypedStorage` holds bytes of any dtype; the others are of one.
_CLASSES = {d: c for c, d in STORAGES.items() if c != "UntypedStorage"}
_MARK, _TUPLE, _REDUCE = b"(", b"t", b"R"


def write_pth(
    path: str | os.PathLike[str],
    state_dict: Mapping[str, np.ndarray],
    meta: Mapping[str, Any],
) -> None:
    """Writes the zip file that `torch.save` of mmengine's checkpoint would be.

    `torch.load(path, weights_only=True)` reads it, of torch 1.6 and later, and mmseg's
    `init_model` finds the classes in it. One array at a time is copied.

    Args:
        path: replaced as a whole once the file is complete.
        state_dict: arrays by PyTorch's key and in its layout.
        meta: plain data: `classes`, `palette` and `config` as `read_weights` gives
            them, and anything else.

    Raises:
        TypeError: for an array or a value in `meta` that PyTorch has no type for.
    """
    pickle = _Pickle()
    pickle.add(tree_of(state_dict, meta))
    with replaced(path) as new, zipfile.ZipFile(new, "w") as archive:

        def write(name, data):
            with new_entry(archive, f"archive/{name}", len(data)) as file:
                file.write(data)

        write("data.pkl", b"\x80\x02" + pickle.out + b".")
        write("byteorder", b"little")
        for number, array in enumerate(pickle.arrays):
            dtype = DTYPES[array.dtype.name]
            flat = np.ascontiguousarray(array, dtype).reshape(-1).view(np.uint8)
            write(f"data/{number}", memoryview(flat))
        # The version of torch.save's zip format, since 1.6.
        write("version", b"3\n")


class _Pickle:
    """Protocol 2, by hand.

    Attributes:
        out: what has been written.
        arrays: the storages that it refers to, by number.
    """

    def __init__(self):
        self.out, self.arrays = bytearray(), []

    def add(self, value):
        if value is None or type(value) is bool:
            self.out += {None: b"N", True: b"\x88", False: b"\x89"}[value]
        elif type(value) is int:
            self._int(value)
        elif type(value) is float:
            self.out += b"G" + struct.pack(">d", value)
        elif type(value) is str:
            data = value.encode()
            self.out += b"X" + struct.pack("<I", len(data)) + data
        elif type(value) in (list, tuple):
            self._sequence(value)
        elif isinstance(value, Mapping):
            self._mapping(value)
        elif hasattr(value, "dtype") and hasattr(value, "shape"):
            self._tensor(np.asarray(value))
        else:
            raise TypeError(
                f"a {type(value).__name__} cannot be written; allowed are arrays, "
                "numbers, strings, None, and lists, tuples and dicts of them"
            )

    def _int(self, value):
        if -(1 << 31) <= value < 1 << 31:
            self.out += b"J" + struct.pack("<i", value)
        else:
            data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
            self.out += b"\x8a" + struct.pack("<B", len(data)) + data

    def _sequence(self, values):
        self.out += b"](" if type(values) is list else _MARK
        for value in values:
            self.add(value)
        self.out += b"e" if type(values) is list else _TUPLE

    def _mapping(self, values):
        if isinstance(values, collections.OrderedDict):
            self._name("collections", "OrderedDict")
            self.out += b")" + _REDUCE
        else:
            self.out += b"}"
        self.out += _MARK
        for key, value in values.items():
            self.add(key)
            self.add(value)
        self.out += b"u"

    def _name(self, module, name):
        self.out += f"c{module}\n{name}\n".encode()

    def _tensor(self, array):
        dtype = array.dtype.name
        if dtype not in DTYPES:
            raise TypeError(
                f"an array of {dtype} cannot be written; PyTorch has {', '.join(DTYPES)}"
            )
        # uint16 and the others without a class of storage: torch >= 2.3 alone.
        typed = dtype in _CLASSES
        self._name("torch._utils", f"_rebuild_tensor_{'v2' if typed else 'v3'}")
        self.out += _MARK
        # The persistent id: what, its class, entry, device, number of elements.
        self.out += _MARK
        self.add("storage")
        if typed:
            self._name("torch", _CLASSES[dtype])
        else:
            self._name("torch.storage", "UntypedStorage")
        self.add(str(len(self.arrays)))
        self.add("cpu")
        self.add(array.size if typed else array.nbytes)
        self.out += _TUPLE + b"Q"
        # Offset, size, stride, requires_grad, backward hooks.
        self.add(0)
        self.add(array.shape)
        self.add(_strides(array.shape))
        self.add(False)
        self.add(collections.OrderedDict())
        if not typed:
            self._name("torch", dtype)
        self.out += _TUPLE + _REDUCE
        self.arrays.append(array)


def _strides(shape):
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))

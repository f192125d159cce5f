"""PTH: checkpoints of PyTorch, read without PyTorch and without running what they hold.

Both formats are read: the zip file of torch >= 1.6 (`archive/data.pkl` and one entry a
storage) and the sequence of pickles with the storages behind them of before.
"""

import io
import logging
import os
from typing import Any

import numpy as np

from jaxseg.weights.files import pickle_data, stored_zip
from jaxseg.weights.files.mapped_file import CheckpointFileError, MappedFile, shown
from jaxseg.weights.files.pickle_names import Inert, refusal
from jaxseg.weights.files.torch_storage import Storage, is_count

_log = logging.getLogger("jaxseg")

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001


def read_pth(path: str | os.PathLike[str]) -> Any:
    """Reads a file of `torch.save`.

    Args:
        path: the path of a .pth file.

    Returns:
        The object that was saved, with read-only arrays on the mapped file in place of
        tensors (bfloat16 and float8 in the dtypes of `ml_dtypes`); tensors that share
        a storage still do. Objects of other classes are `pickle_names.Inert`; those
        that checkpoints usually do not have are logged. Not to be walked through
        without a bound: a list may hold itself.

    Raises:
        CheckpointFileError: naming the file: it is damaged, cut short, of another
            kind, or it is itself an object that is no data, or asks for a function
            that a program would have a use for.
    """
    try:
        return read_mapped(MappedFile(path))
    except CheckpointFileError as error:
        raise CheckpointFileError(f"{os.fspath(path)}: {error}") from error


def read_mapped(file: MappedFile) -> Any:
    """`read_pth` of a file that is open; its errors do not name the file."""
    foreign = set()
    if file.startswith(b"PK\x03\x04"):
        tree = _read_zip(file, foreign)
    elif file.startswith(b"\x80"):
        tree = _read_legacy(file, foreign)
    else:
        raise CheckpointFileError(
            f"no file of torch.save, safetensors or npz: {file.describe()}"
        )
    if type(tree) is Inert:
        raise CheckpointFileError(refusal(tree.name))
    if foreign:
        names = [shown(name)[1:-1] for name in sorted(foreign)]
        more = f" and {len(names) - 10} more" if len(names) > 10 else ""
        _log.info(
            "%s: objects beside the weights are left out, and nothing of them is run: "
            "%s%s",
            file.path,
            ", ".join(names[:10]),
            more,
        )
    return tree


def _read_zip(file, foreign):
    entries = stored_zip.entries(file)
    pickles = [name for name in entries if name.split("/")[1:] == ["data.pkl"]]
    if any(name.split("/")[1:2] in (["code"], ["constants.pkl"]) for name in entries):
        raise CheckpointFileError(
            "a TorchScript program, not a checkpoint: save the state_dict of its model"
        )
    if len(pickles) != 1:
        raise CheckpointFileError(
            f"a zip file with {len(pickles)} entries NAME/data.pkl; a checkpoint has 1"
        )
    root = pickles[0].removesuffix("data.pkl")
    if f"{root}byteorder" in entries:
        start, size = entries[f"{root}byteorder"]
        order = file.data[start : start + min(size, 10)]
        if order != b"little":
            raise CheckpointFileError(f"byte order {order!r}; only b'little' is read")

    def find(persistent_id):
        dtype, name, numel, _ = _storage_id(persistent_id)
        start, size = entries.get(f"{root}data/{name}", (0, -1))
        if size < numel * dtype.itemsize:
            raise CheckpointFileError(
                f"the storage {shown(name)} of {numel} elements of {dtype} is missing"
                if size < 0
                else f"the storage {shown(name)} has {size} bytes, which is too short "
                f"for {numel} elements of {dtype}"
            )
        return Storage(dtype, numel, file, start)

    start, size = entries[pickles[0]]
    if size > pickle_data.MAX_BYTES:
        raise CheckpointFileError(
            f"its pickle takes {size} bytes, allowed are {pickle_data.MAX_BYTES}"
        )
    return pickle_data.load(io.BytesIO(file.data[start : start + size]), find, foreign)


def _read_legacy(file, foreign):
    """A magic number, version, system, object and storage keys; then the storages.

    The tensors come before the places of their storages are known, so the object is
    read twice.
    """
    pickles = io.BytesIO(file.data[: pickle_data.MAX_BYTES])
    magic = pickle_data.load(pickles, _refuse)
    # Types first: an array compares element by element.
    if type(magic) is not int or magic != _LEGACY_MAGIC:
        raise CheckpointFileError("a pickle, but not of torch.save")
    version = pickle_data.load(pickles, _refuse)
    system = pickle_data.load(pickles, _refuse)
    if type(version) is not int or version != _LEGACY_PROTOCOL:
        raise CheckpointFileError("no version of torch's legacy format that is known")
    if type(system) is not dict or system.get("little_endian") is not True:
        raise CheckpointFileError("not little-endian, which alone is read")

    storages = {}

    def find(persistent_id):
        dtype, name, numel, view = _storage_id(persistent_id)
        storage = storages.setdefault(name, Storage(dtype, numel))
        if (storage.dtype, storage.numel) != (dtype, numel):
            raise CheckpointFileError(f"two descriptions of the storage {shown(name)}")
        return storage if view is None else storage.slice(*view)

    begin = pickles.tell()
    pickle_data.load(pickles, find)
    names = pickle_data.load(pickles, _refuse)
    _place(storages, names, file, pickles.tell())
    pickles.seek(begin)
    return pickle_data.load(pickles, find, foreign)


def _place(storages, names, file, position):
    if (
        type(names) is not list
        or not all(type(name) is str for name in names)
        or sorted(names) != sorted(storages)
    ):
        raise CheckpointFileError("the list of storages is not that of the tensors")
    for name in names:
        storage = storages[name]
        # The number of elements once more, in 8 bytes.
        count = int.from_bytes(file.data[position : position + 8], "little")
        start = position + 8
        position = start + storage.numel * storage.dtype.itemsize
        if count != storage.numel or position > file.size:
            raise CheckpointFileError(
                f"the storage {shown(name)} is cut short or damaged"
            )
        storages[name] = Storage(storage.dtype, storage.numel, file, start)


def _storage_id(persistent_id):
    """(dtype, name, number of elements, view) of a persistent id of torch.save."""
    if type(persistent_id) is tuple and len(persistent_id) in (5, 6):
        kind, dtype, name, _, numel, *view = persistent_id
        view = view[0] if view else None
        if (
            kind == "storage"
            and isinstance(dtype, np.dtype)
            and type(name) is str
            and is_count(numel)
            and (view is None or (type(view) is tuple and len(view) == 3))
        ):
            return dtype, name, numel, view and view[1:]
    raise CheckpointFileError("the pickle refers to something that is no storage")


def _refuse(persistent_id):
    raise CheckpointFileError("the pickle refers to a storage in the wrong place")

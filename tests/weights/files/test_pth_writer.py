"""Files for PyTorch: what they consist of, and one that PyTorch has read."""

import pathlib
import pickletools
import zipfile

import ml_dtypes
import numpy as np
import pytest

from jaxseg.weights.files.pth import read_pth
from jaxseg.weights.files.pth_writer import write_pth

FILES = pathlib.Path(__file__).parent / "examples"
META = {
    "classes": ["road", "sky", "Gehölz"],
    "palette": [[128, 64, 128], [70, 130, 180], [107, 142, 35]],
    "config": "crop_size = (512, 1024)\n",
    "iter": 80_000,
    "epoch": 3,
    "time": 0.5,
    "count": 1 << 40,
    "least": -(1 << 63),
    "seed": None,
    "deterministic": False,
}


def state_dict():
    kernel = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
    return {
        "backbone.conv1.weight": kernel.transpose(2, 1, 0),
        "backbone.bn1.num_batches_tracked": np.array(7),
        "half": np.arange(3, dtype=np.float16),
        "double": np.arange(3.0),
        "bfloat16": np.arange(3).astype(ml_dtypes.bfloat16),
        "bool": np.array([True, False]),
        "bytes": np.arange(3, dtype=np.uint8),
        "ints": np.arange(3, dtype=np.int32),
        "complex": np.array([1 + 2j], np.complex64),
        "big_endian": np.arange(3, dtype=">f4"),
        "empty": np.zeros((0, 3), np.float32),
    }


def test_the_file_that_pytorch_has_read(tmp_path):
    """`make_files.py` loads written.pth with torch 2.13, weights_only=True."""
    write_pth(tmp_path / "written.pth", state_dict(), META)
    written = (tmp_path / "written.pth").read_bytes()
    assert written == (FILES / "written.pth").read_bytes()


def test_names_and_opcodes_are_those_of_weights_only(tmp_path):
    arrays = state_dict() | {"uint16": np.ones(2, np.uint16)}
    write_pth(tmp_path / "x.pth", arrays, META)
    with zipfile.ZipFile(tmp_path / "x.pth") as archive:
        opcodes = list(pickletools.genops(archive.read("archive/data.pkl")))
        assert archive.testzip() is None
        assert archive.read("archive/version") == b"3\n"
    globals_ = {arg for opcode, arg, _ in opcodes if opcode.name == "GLOBAL"}
    kinds = [
        "Half",
        "Float",
        "Double",
        "BFloat16",
        "Bool",
        "Byte",
        "Int",
        "Long",
        "ComplexFloat",
    ]
    assert globals_ == {
        "collections OrderedDict",
        "torch uint16",
        "torch.storage UntypedStorage",
        "torch._utils _rebuild_tensor_v2",
        "torch._utils _rebuild_tensor_v3",
        *(f"torch {kind}Storage" for kind in kinds),
    }
    # Those of torch/_weights_only_unpickler.py that are used here.
    assert {opcode.name for opcode, _, _ in opcodes} == {
        "APPENDS",
        "BINFLOAT",
        "BININT",
        "BINPERSID",
        "BINUNICODE",
        "EMPTY_DICT",
        "EMPTY_LIST",
        "EMPTY_TUPLE",
        "GLOBAL",
        "LONG1",
        "MARK",
        "NEWFALSE",
        "NONE",
        "PROTO",
        "REDUCE",
        "SETITEMS",
        "STOP",
        "TUPLE",
    }


def test_every_storage_begins_at_a_multiple_of_64(tmp_path):
    write_pth(tmp_path / "x.pth", state_dict(), {})
    arrays = read_pth(tmp_path / "x.pth")["state_dict"].values()
    assert all(a.ctypes.data % 64 == 0 for a in arrays if a.size)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "x.pth"
    write_pth(path, {"a": np.ones(3)}, {})
    mapped = read_pth(path)["state_dict"]["a"]
    with pytest.raises(TypeError, match="an array of str96 cannot be written"):
        write_pth(path, {"a": np.zeros(3), "b": np.array(["abc"])}, {})
    with pytest.raises(TypeError, match="a set cannot be written"):
        write_pth(path, {"a": np.zeros(3)}, {"seen": {1}})
    np.testing.assert_array_equal(read_pth(path)["state_dict"]["a"], np.ones(3))
    # Arrays on the old file outlive it.
    write_pth(path, {"a": np.zeros(3)}, {})
    np.testing.assert_array_equal(mapped, np.ones(3))
    assert [p.name for p in tmp_path.iterdir()] == ["x.pth"]

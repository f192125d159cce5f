"""Files of PyTorch and mmengine themselves (`make_files.py`), bit for bit."""

import argparse
import collections
import decimal
import fractions
import functools
import http
import json
import logging
import pathlib
import re
import struct
import subprocess
import sys
import types
import uuid
import zipfile

import numpy as np
import pytest

from jaxseg.weights.files.checkpoint_tree import state_dict_of
from jaxseg.weights.files.mapped_file import CheckpointFileError
from jaxseg.weights.files.pickle_names import Inert
from jaxseg.weights.files.pth import read_pth
from jaxseg.weights.files.torch_storage import DTYPES
from jaxseg.weights.files.weights_file import read_weights

from . import forged

FILES = pathlib.Path(__file__).parent / "examples"


def assert_equal_to_torch(arrays, expectation):
    expected = json.loads((FILES / expectation).read_text())
    assert arrays.keys() == expected.keys()
    for key, (dtype, shape, data) in expected.items():
        array = arrays[key]
        assert type(array) is np.ndarray and not array.flags.writeable, key
        assert (array.dtype, list(array.shape)) == (DTYPES[dtype], shape), key
        assert np.ascontiguousarray(array).tobytes() == bytes.fromhex(data), key


@pytest.mark.parametrize(
    ("name", "expectation"),
    [
        ("tensors_zip.pth", "tensors.json"),
        ("tensors_legacy.pth", "tensors.json"),
        ("tensors_protocol4.pth", "tensors.json"),
        ("new_tensors_zip.pth", "new_tensors.json"),
    ],
)
def test_every_dtype_and_form_as_torch_saved_it(name, expectation):
    assert_equal_to_torch(read_pth(FILES / name), expectation)


@pytest.mark.parametrize("name", ["tensors_zip.pth", "tensors_legacy.pth"])
def test_views_share_their_storage(name):
    tree = read_pth(FILES / name)
    whole = tree["shared.whole"]
    assert np.shares_memory(whole, tree["shared.part"])
    assert np.shares_memory(whole, tree["shared.even"])
    assert not np.shares_memory(whole, tree["float32"])
    assert tree["transposed"].strides == (4, 48, 16)
    assert tree["expanded"].strides == (0, 0)


@pytest.mark.parametrize("name", ["mmengine_zip.pth", "mmengine_legacy.pth"])
def test_a_checkpoint_of_a_run_of_mmengine(name):
    tree = read_pth(FILES / name)
    state_dict, meta = state_dict_of(tree)
    assert_equal_to_torch(state_dict, "mmengine.json")
    assert meta["classes"] == ["road", "sky"]
    assert meta["palette"] == [[128, 64, 128], [70, 130, 180]]
    assert meta["iter"] == 4 and "crop_size" in meta["config"]
    # Objects of mmengine keep quiet; those of NumPy are rebuilt.
    history = tree["message_hub"]["log_scalars"]["train/loss"]
    assert type(history) is Inert and history.name.endswith("HistoryBuffer")
    assert history.state["_log_history"].shape == (4,)
    info = tree["message_hub"]["runtime_info"]
    assert info["config"] == {"a": {"b": [1, 2]}}
    np.testing.assert_array_equal(info["numbers"], [[0, 1, 2], [3, 4, 5]])
    assert info["nothing"].shape == (0, 2)
    assert tree["optimizer"]["state"][0]["exp_avg"].shape == (2, 3)


def test_a_checkpoint_with_objects_of_the_standard_library():
    tree = read_pth(FILES / "deit.pth")
    assert tree["args"].name == "argparse.Namespace"
    state_dict, meta = state_dict_of(tree)
    assert list(state_dict) == ["head.weight"] and meta == {}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("refused_module.pth", "torch.nn.modules.linear.Linear, which is not on the"),
        ("refused_quantised.pth", r"_rebuild_qtensor \(a quantised tensor\)"),
        ("refused_sparse.pth", r"_rebuild_sparse_tensor \(a sparse tensor\)"),
        ("refused_torchscript.pth", "TorchScript program"),
    ],
)
def test_what_is_no_checkpoint_is_refused_by_name(name, says):
    with pytest.raises(CheckpointFileError, match=f"{name}: .*{says}"):
        read_pth(FILES / name)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "there is no such file"),
        (b"", "the file is empty"),
        (b"\n<!DOCTYPE html><html>", "a web page: a download that failed"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of git-lfs"),
        (b"\0" * 257 + b"ustar" + b"\0" * 250, "a tar file"),
        (b"\x1f\x8b\x08\0", "compressed by gzip"),
        (b"PK\x03\x04", "the zip file is damaged or cut short"),
        (b"weights", "starts with b'weights'"),
        (b"\x80\x02K\x01.", "a pickle, but not of torch.save"),
    ],
)
def test_other_files_are_named(tmp_path, content, says):
    path = tmp_path / "x.pth"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointFileError, match=f"x.pth: .*{says}"):
        read_pth(path)


def test_python_2_wrote_items_as_an_argument_and_texts_as_bytes(tmp_path):
    """torchvision's and mmcv's files of 2017 and 2018, by hand."""

    def text(value):
        return b"U" + bytes([len(value)]) + value

    def pickle(data):
        return b"\x80\x02" + data + b"."

    storage = b"((" + text(b"storage") + b"ctorch\nFloatStorage\n"
    storage += text(b"94") + text(b"cpu") + b"K\x02NtQ"
    tensor = b"ctorch._utils\n_rebuild_tensor\n" + storage + b"K\x00(K\x02t(K\x01ttR"
    # Before 0.4 a Parameter was made of a tensor, and its attributes set.
    parameter = b"ctorch.nn.parameter\nParameter\n" + tensor + b"\x85\x81"
    parameter += b"(\x88\x89}tb"
    items = b"](](" + text(b"fc.bias") + parameter + b"ee"
    path = tmp_path / "old.pth"
    path.write_bytes(
        pickle(b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19")
        + pickle(b"M\xe9\x03")
        + pickle(b"}" + text(b"little_endian") + b"\x88s")
        + pickle(b"ccollections\nOrderedDict\n(" + items + b"tR")
        + pickle(b"](" + text(b"94") + b"e")
        + struct.pack("<qff", 2, 1.5, -2)
    )
    assert {k: v.tolist() for k, v in read_pth(path).items()} == {
        "fc.bias": [1.5, -2.0]
    }


def test_reading_copies_nothing(tmp_path):
    """200 MB of weights cost a few MB before they are used."""
    path = tmp_path / "large.pth"
    program = (
        "import resource, sys\n"
        "import numpy as np\n"
        "from jaxseg.weights.files.weights_file import read_weights, write_weights\n"
        f"path = {str(path)!r}\n"
        "if sys.argv[1] == 'write':\n"
        "    block = np.ones((10, 1 << 19), np.float32)\n"
        "    write_weights(path, {str(i): block for i in range(10)}, {})\n"
        "else:\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "    weights = read_weights(path).state_dict\n"
        "    print(sum(w.nbytes for w in weights.values()))\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    for what in ("write", "read"):
        done = subprocess.run(
            [sys.executable, "-c", program, what],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    size, kilobytes = done.stdout.splitlines()
    assert int(size) == 10 * 10 * (1 << 19) * 4
    assert int(kilobytes) < 20_000


def test_the_places_of_entries_are_those_of_the_local_headers(tmp_path):
    # torch fills up to 64 bytes in the local header alone.
    with zipfile.ZipFile(FILES / "tensors_zip.pth") as archive:
        assert all(not info.extra for info in archive.infolist())
    tree = read_pth(FILES / "tensors_zip.pth")
    assert tree["float32"].ctypes.data % 64 == 0


@pytest.mark.parametrize(
    ("tree", "says"),
    [
        ([1], "holds a list, not a dict"),
        ({}, "holds no weights"),
        ({"state_dict": {"a": 1}}, "'state_dict' holds 1 under 'a'"),
        ({"net": {"a": {}}}, "'net' holds a dict under 'a', where arrays belong"),
        ({"optimizer": {"a": 1}}, "the file holds a dict under 'optimizer'"),
        (
            {"g": {"a": np.ones(1)}, "d": {"a": np.ones(1)}},
            "holds weights under 'g', 'd': save one of them alone",
        ),
        ({"state_dict": Inert("my.Net", ())}, "'state_dict' holds my.Net, where"),
        ({3: np.ones(1), "a": np.ones(1)}, "holds an array under 3, no text"),
        ({"a": np.ones(1), "module.a": np.ones(1)}, "with and without 'module.' or"),
        (
            {"model": {"a": np.ones(1)}, "meta": {"CLASSES": ["a", 1]}},
            "the classes in its meta data are not names",
        ),
        (
            {"model": {"a": np.ones(1)}, "meta": {"PALETTE": [[1, 2]]}},
            "the palette in its meta data is no list of RGB values",
        ),
        (
            {"model": {"a": np.ones(1)}, "meta": {"PALETTE": np.array(1)}},
            "the palette in its meta data is no list of RGB values",
        ),
    ],
)
def test_trees_without_weights_are_refused(tree, says):
    with pytest.raises(CheckpointFileError, match=says):
        state_dict_of(tree)


ONE = {"a": np.ones(1)}


@pytest.mark.parametrize(
    "tree",
    [
        {"model_state_dict": ONE, "epoch": 1},
        {"net": ONE, "args": Inert("argparse.Namespace", ())},
        {"params": ONE, "optimizer": {"state": {0: {"exp_avg": np.zeros(1)}}}},
        {"weights": ONE},
        {"student": {"a": np.zeros(1)}, "teacher": ONE, "loss": {"c": np.zeros(1)}},
        {"something": ONE, "epoch": 1},
        {"model": {"state_dict": ONE, "epoch": 1}},
        {"state_dict": ONE, "best": np.zeros(1)},
        {"state_dict_ema": ONE},
        {**ONE, "epoch": 1, "hook": Inert("types.SimpleNamespace", ())},
        {"_orig_mod.a": np.ones(1)},
        {"module._orig_mod.a": np.ones(1)},
        {"module.module.a": np.ones(1)},
    ],
)
def test_where_programs_keep_weights(tree):
    assert state_dict_of(tree)[0] == ONE


def test_a_class_that_is_a_dict_may_hold_the_weights():
    weights = Inert("my.StateDict", ())
    weights.items = ONE
    assert state_dict_of({"state_dict": weights})[0] == ONE


def test_what_is_no_array_is_named(caplog):
    caplog.set_level(logging.INFO, "jaxseg")
    state_dict_of({"net": {**ONE, "b._extra_state": None}})
    assert caplog.messages == [
        "the weights are those under net",
        "no arrays, left out: 'b._extra_state'",
    ]


class Plain:
    """A user's class, which the reader has not got."""


class Words(collections.OrderedDict):
    """A user's dict."""


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize(
    "value",
    [
        types.SimpleNamespace(a=1),
        decimal.Decimal("1.5"),
        fractions.Fraction(1, 3),
        http.HTTPStatus.OK,
        pathlib.PurePosixPath("/a"),
        argparse.Namespace(lr=0.1),
        uuid.UUID(int=1),
        re.compile("a"),
        ValueError("x"),
        Plain(),
        Words(a=1),
        bytearray(b"x"),
        np.str_("a"),
        np.array(["a", "b"]),
        np.array([{}], object),
        np.datetime64("2020-01-01"),
        np.float32(1.5),
        np.random.default_rng(0),
        functools.partial(max, 1),
        collections.deque([1]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_object_beside_the_weights_keeps_quiet(tmp_path, caplog, value, protocol):
    caplog.set_level(logging.INFO, "jaxseg")
    (tmp_path / "x.pth").write_bytes(forged.beside(value, protocol))
    assert list(read_weights(tmp_path / "x.pth").state_dict) == ["w"]
    kind = type(value)
    if kind.__module__.split(".")[0] not in ("numpy", "builtins", "re"):
        (message,) = caplog.messages
        assert "objects beside the weights are left out, and nothing" in message
        assert f"{kind.__module__}.{kind.__qualname__}".split("._")[-1] in message


def test_meta_of_mmseg_0():
    one = {"a": np.ones(1)}
    meta = {"CLASSES": ("a",), "PALETTE": np.uint8([[1, 2, 3]]), "config": "x = 1"}
    plain = {"classes": ["a"], "palette": [[1, 2, 3]], "config": "x = 1"}
    assert state_dict_of({"state_dict": one, "meta": meta})[1] == plain
    # A data set of one's own had none.
    meta = {"CLASSES": None, "PALETTE": None, "epoch": 3, "hook_msgs": {}}
    assert state_dict_of({"state_dict": one, "meta": meta})[1] == {"epoch": 3}
    # The moving average is another model.
    tree = {"model": one, "model_ema": {"a": np.zeros(1)}}
    assert state_dict_of(tree)[0]["a"] == 1

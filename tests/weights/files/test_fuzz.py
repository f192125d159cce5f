"""Fuzz: whatever bytes a reader of weights is given, it reads them or ends in its error.

The changes are drawn from seeds: a failure names the one that made it.
"""

import json
import pathlib
import random
import zlib

import numpy as np
import pytest

from jaxseg.checkpoint import manifest
from jaxseg.checkpoint.errors import CheckpointError
from jaxseg.weights.files.mapped_file import CheckpointFileError
from jaxseg.weights.files.weights_file import read_weights

from . import forged

FILES = {
    **forged.valid(),
    "npz of several": forged.zip_of(
        [
            ("a.npy", forged.npy_of(np.ones((2, 3), np.float32))),
            ("b.npy", forged.npy_of(np.asfortranarray(np.ones((2, 3))))),
            ("__meta__.npy", forged.npy_of(np.array('{"dtypes": {"a": "int32"}}'))),
        ]
    ),
    "safetensors of several": forged.safetensors_of(
        {"a": ["F32", [2, 2], [0, 16]], "b": ["I64", [1], [16, 24]]}, bytes(24)
    ),
    "objects": forged.beside(pathlib.PurePosixPath("/a"), 2),
}
# Sizes and counts at which readers go wrong.
NUMBERS = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, (1 << 31) - 1, (1 << 32) - 1]
TEXTS = [b"", b"-1", b"0", b"9" * 20, b"1" + b"0" * 15, b"None", b"(", b"}", b"\0"]


def changed(data, rng):
    """Data with one to four small changes, most of them near other structure."""
    data = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data)) if data else 0
        kind = rng.randrange(7)
        if kind == 0:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            data[at : at + 1] = (
                bytes([data[at] ^ (1 << rng.randrange(8))]) if data else b""
            )
        elif kind == 2:
            width = rng.choice([1, 2, 4, 8])
            number = rng.choice(NUMBERS) % (1 << 8 * width)
            data[at : at + width] = number.to_bytes(width, "little")
        elif kind == 3:
            del data[at : at + rng.randint(1, 16)]
        elif kind == 4:
            data[at:at] = data[at : at + rng.randint(1, 64)]
        elif kind == 5:
            data[at : at + rng.randint(0, 3)] = rng.choice(TEXTS)
        else:  # a digit of a text, as of a shape
            digits = [i for i, c in enumerate(data) if 48 <= c < 58]
            if digits:
                data[rng.choice(digits)] = 48 + rng.randrange(10)
    return bytes(data)


def read(path):
    try:
        for array in read_weights(path).state_dict.values():
            array.tobytes()
    except CheckpointFileError as error:
        assert str(error).startswith(f"{path}: ") and len(str(error)) < 2000
        return False
    return True


def fuzz_files(folder, count):
    outcomes = set()
    for name, data in FILES.items():
        for number in range(count):
            seed = f"{name} {number}"
            path = folder / "x.pth"
            path.unlink(missing_ok=True)
            path.write_bytes(changed(data, random.Random(seed)))
            try:
                outcomes.add(read(path))
            except BaseException as error:
                raise AssertionError(f"the change of seed {seed!r}") from error
    assert outcomes == {True, False}


def test_files_of_weights(tmp_path):
    fuzz_files(tmp_path, 1 + 1000 // len(FILES))


@pytest.mark.long
def test_files_of_weights_at_length(tmp_path):
    fuzz_files(tmp_path, 600)


BODY = manifest.build(
    3,
    {"params/a/kernel": {"shape": [2, 3], "dtype": "float32", "checksum": 5}},
    {"model": {"type": "EncoderDecoder"}, "dataset_meta": {"classes": ["a"]}},
    ("mIoU", "max"),
    samples=4,
    source={"meta": {"iter": 3}, "keys": ["a.weight"], "counters": {"a": 1}},
)
VALUES = [None, True, -1, 0, 1.5, 1 << 70, "", "x", [], [[]], {}, {"a": {"b": 1}}, "O"]


def other_values(value, rng):
    """A JSON value with one of those in it replaced, left out or doubled."""
    if rng.random() < 0.3 or not isinstance(value, (dict, list)) or not value:
        return rng.choice(VALUES)
    if isinstance(value, list):
        value = list(value)
        at = rng.randrange(len(value))
        value[at] = other_values(value[at], rng)
        return value
    value, name = dict(value), rng.choice(list(value))
    action = rng.randrange(4)
    if action == 0:
        del value[name]
    elif action == 1:
        value[f"{name}/b"] = value[name]
    else:
        value[name] = other_values(value[name], rng)
    return value


def fuzz_manifests(folder, count):
    (folder / manifest.ITEM).mkdir()
    path = folder / manifest.ITEM / manifest.FILE_NAME
    sound = json.dumps(BODY).encode()
    outcomes = []
    for number in range(count):
        rng = random.Random(number)
        if number % 4:
            body = other_values({k: v for k, v in BODY.items() if k != "crc32"}, rng)
            text = json.dumps(body, sort_keys=True).encode()
            if isinstance(body, dict):
                body["crc32"] = zlib.crc32(text)
            path.write_text(json.dumps(body))
        else:
            path.write_bytes(changed(sound, rng))
        try:
            body = manifest.read(folder)
            manifest.nest(dict.fromkeys(body["arrays"]))
            manifest.score(body)
            outcomes.append(True)
        except CheckpointError:
            outcomes.append(False)
        except BaseException as error:
            raise AssertionError(f"the change of seed {number}") from error
    assert outcomes.count(True) > count // 20 and outcomes.count(False) > count // 20


def test_manifests(tmp_path):
    fuzz_manifests(tmp_path, 1000)


@pytest.mark.long
def test_manifests_at_length(tmp_path):
    fuzz_manifests(tmp_path, 6000)


def test_a_manifest_deeper_than_the_stack(tmp_path):
    (tmp_path / manifest.ITEM).mkdir()
    path = tmp_path / manifest.ITEM / manifest.FILE_NAME
    path.write_text('{"config": ' + "[" * 100_000)
    with pytest.raises(CheckpointError, match="cannot be read"):
        manifest.read(tmp_path)


def test_an_array_that_numpy_cannot_hold(tmp_path):
    """Its shape has more axes, or larger ones, than an array may have."""
    array = forged.npy_of(np.ones(4))
    for shape in (b"0," * 10, b"1" + b",1" * 40, b"999999999999999,0"):
        old = b"(4,), }" + b" " * len(shape)
        new = b"(" + shape + b"), }"
        path = tmp_path / "x.npz"
        path.write_bytes(
            forged.zip_of([("w.npy", array.replace(old, new.ljust(len(old))))])
        )
        read(path)

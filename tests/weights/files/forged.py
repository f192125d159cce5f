"""Files that attack a reader: (name, bytes) pairs, made without running anything."""

import builtins
import io
import os
import pathlib
import pickle
import struct
import subprocess
import zipfile
import zlib

import numpy as np

FILES = pathlib.Path(__file__).parent / "examples"
END = b"."
LEGACY_HEAD = b"".join(
    pickle.dumps(value, 2)
    for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
)


def zip_of(entries, method=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in entries:
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return file.getvalue()


def pth_of(data, storage=b"\0" * 16, **kwargs):
    entries = [("a/data.pkl", data), ("a/byteorder", b"little")]
    return zip_of([*entries, ("a/data/0", storage), ("a/version", b"3\n")], **kwargs)


def legacy_of(data, names=()):
    return LEGACY_HEAD + data + pickle.dumps(list(names), 2) + bytes(64)


def numpy_array(data):
    return pickle.dumps(np.frombuffer(data, np.uint8), 2)


def name(module, attribute):
    return f"c{module}\n{attribute}\n".encode()


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def integer(value):
    return b"\x8a\x0a" + value.to_bytes(10, "little", signed=True)


def storage(numel=4, kind="FloatStorage", key="0"):
    where = text(key) + text("cpu") + integer(numel)
    return b"(" + text("storage") + name("torch", kind) + where + b"tQ"


def tensor(offset=0, size=(4,), stride=(1,), of=None, function="_rebuild_tensor_v2"):
    """The pickle of {'w': a tensor}."""
    shape = [b"(" + b"".join(map(integer, axes)) + b"t" for axes in (size, stride)]
    args = (of or storage()) + integer(offset) + b"".join(shape)
    rest = b"\x89" + name("collections", "OrderedDict") + b")Rt"
    call = name("torch._utils", function) + b"(" + args + rest + b"R"
    return b"\x80\x02}" + text("w") + call + b"s."


def beside(value, protocol):
    """The file of weights with another object beside them."""
    data = pickle.dumps({"state_dict": "WEIGHTS", "hook": [value, value]}, protocol)
    place = b"X\7\0\0\0WEIGHTS" if protocol < 4 else b"\x8c\7WEIGHTS"
    assert data.count(place) == 1
    return pth_of(data.replace(place, tensor()[2:-1]))


class Calls:
    """An object whose pickle calls a function."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


def valid():
    """What must be read, so that the refusals below mean something."""
    names = "tensors_zip tensors_legacy tensors_protocol4 mmengine_zip mmengine_legacy"
    files = {name: (FILES / f"{name}.pth").read_bytes() for name in names.split()}
    return files | {
        "a tensor": pth_of(tensor()),
        "a view": pth_of(tensor(1, (3,), (1,))),
        "npz": npz_of(np.ones(4)),
        "safetensors": safetensors_of({"w": ["F32", [4], [0, 16]]}, bytes(16)),
    }


def payloads(marker):
    """Pickles that make the file `marker` where they are run by `pickle`."""
    touch = f"open({str(marker)!r}, 'w').close()"
    shell = f"touch {marker}"
    run = {
        "os.system": Calls(os.system, shell),
        "eval": Calls(builtins.eval, touch),
        "exec": Calls(builtins.exec, touch),
        "Popen": Calls(subprocess.Popen, ["touch", str(marker)]),
        "open": Calls(builtins.open, str(marker), "w"),
        "import": Calls(builtins.__import__, "antigravity"),
    }
    data = {key: pickle.dumps({"w": call}, 2) for key, call in run.items()}
    data["protocol 4"] = pickle.dumps({"w": run["eval"]}, 4)
    head, code = b"\x80\x02", text(touch)
    history = name("mmengine.logging.history_buffer", "HistoryBuffer")

    def get(value, attribute):
        return name("builtins", "getattr") + value + text(attribute) + b"\x86R"

    chain = get(get(get(history, "__init__"), "__globals__"), "__getitem__")
    builtin = chain + text("__builtins__") + b"\x85R"
    data |= {
        "getattr chain": head + builtin + code + b"\x85R.",
        "getattr of a call": head + get(history, "mean") + code + b"\x85R.",
        "numpy.load": head + name("numpy", "load") + text("x.npy") + b"\x85R.",
        "torch.load": head + name("torch", "load") + text("x.pth") + b"\x85R.",
        "_load_from_bytes": head
        + name("torch.storage", "_load_from_bytes")
        + name("_codecs", "encode")
        + text("\x80\x02.")
        + text("latin1")
        + b"\x86R\x85R.",
        "codec": head + name("_codecs", "encode") + code + text("rot13") + b"\x86R.",
        "_codecs.lookup": head + name("_codecs", "lookup") + text("idna") + b"\x85R.",
        "dotted name": head
        + name("torch", "storage.os.system")
        + text(shell)
        + b"\x85R.",
        "stack_global": b"\x80\x04"
        + text("os")
        + text("system")
        + b"\x93"
        + text(shell)
        + b"\x85R.",
        "name with a space": head + b"cos system\nx\n" + text(shell) + b"\x85R.",
        "setstate": head
        + history
        + b")\x81}"
        + text("__setstate__")
        + name("os", "system")
        + b"sb.",
        "state of a stand-in": head
        + history
        + b")\x81}"
        + text("__class__")
        + text("os")
        + b"sb"
        + code
        + b"\x85R.",
        "state of a class": head + history + b"}" + text("mean") + text("x") + b"sb.",
        "state of a list": head + b"]}" + text("append") + text("x") + b"sb.",
        "newobj of a list": head + b"])\x81.",
        "newobj of a storage": head + name("torch", "FloatStorage") + b")\x81.",
        "inst": head + b"(" + text(shell) + b"ios\nsystem\n.",
        "obj": head + b"(" + name("os", "system") + text(shell) + b"o.",
        "newobj_ex": b"\x80\x04" + history + b")}\x92.",
        "ext1": head + b"\x82\x01.",
        "ext4": head + b"\x84\x01\0\0\0.",
        "persid": head + b"Pos.system\n.",
        "persistent text": head + text("os.system") + b"Q.",
        "persistent tuple": head
        + b"("
        + text("module")
        + history
        + code
        + code
        + b"NtQ.",
        "dup": head + b"}2s.",
        "protocol 0": pickle.dumps({"w": run["os.system"]}, 0),
    }
    return data


def damaged():
    """Files that are no checkpoints, or say what is not so."""
    good = tensor()
    whole = pth_of(good)
    stored = (FILES / "tensors_zip.pth").read_bytes()
    legacy = (FILES / "tensors_legacy.pth").read_bytes()
    huge = 1 << 70
    entries = [
        ("a/data.pkl", good),
        ("a/byteorder", b"little"),
        ("a/data/0", bytes(16)),
    ]
    tensors = {
        "offset outside": tensor(1),
        "size outside": tensor(0, (5,)),
        "stride outside": tensor(0, (2,), (4,)),
        "negative offset": tensor(-1),
        "negative size": tensor(0, (-4,)),
        "negative stride": tensor(3, (4,), (-1,)),
        "huge stride": tensor(0, (2,), (huge,)),
        "huge size": tensor(0, (huge,)),
        "sizes that overflow": tensor(0, (1 << 32, 1 << 32), (0, 0)),
        "huge and empty": tensor(0, (1 << 46, 1 << 46, 0), (1, 1, 1)),
        "repeated": tensor(0, (1 << 40,), (0,)),
        "more strides": tensor(0, (4,), (1, 1)),
        "100 axes": tensor(0, (1,) * 100, (1,) * 100),
        "short storage": tensor(of=storage(8)),
        "huge storage": tensor(of=storage(huge)),
        "negative storage": tensor(of=storage(-4)),
        "wide storage": tensor(of=storage(4, "DoubleStorage")),
        "missing storage": tensor(of=storage(key="1")),
        "storage elsewhere": tensor(of=storage(key="../byteorder")),
        "quantised storage": tensor(of=storage(kind="QInt8Storage")),
        "no storage": tensor(of=b"N"),
        "too few arguments": tensor(function="_rebuild_tensor_v3"),
    }
    files = {key: pth_of(data) for key, data in tensors.items()}
    for key, data in (("zip", stored), ("legacy", legacy), ("small", whole)):
        cuts = [
            1,
            3,
            10,
            40,
            len(data) // 4,
            len(data) // 2,
            len(data) - 30,
            len(data) - 1,
        ]
        files |= {f"{key} cut at {cut}": data[:cut] for cut in cuts}
    files |= {
        "empty": b"",
        "html": b"<html><body>404</body></html>",
        "one byte": b"\x80",
        "two of one name": zip_of([*entries, ("a/data/0", bytes(16))]),
        "two pickles": zip_of([*entries, ("b/data.pkl", good)]),
        "no pickle": zip_of(entries[1:]),
        "torchscript": zip_of([*entries, ("a/constants.pkl", good)]),
        "code": zip_of([*entries, ("a/code/__torch__.py", b"")]),
        "deflated": pth_of(good, method=zipfile.ZIP_DEFLATED),
        "deflated storage of 64 MB": deflated_bomb(good),
        "big endian": zip_of([entries[0], ("a/byteorder", b"big"), entries[2]]),
        "big endian legacy": legacy_of(b"\x80\x02}.").replace(b"\x88", b"\x89"),
        "legacy of an array": numpy_array(b"\x01" * 4) + legacy_of(b"\x80\x02}."),
        "legacy with a list of other storages": legacy_of(
            tensor(of=storage(key="k" * 200 + "1")), ["k" * 200 + "2"]
        ),
        "legacy with a list of no names": legacy_of(tensor(), [0]),
        "overlapping entries": whole.replace(b"a/data/0", b"a/data/1", 1),
        "bytes before": b"x" * 64 + whole,
        "empty zip": zip_of([]),
        "npz of objects": npz_of(np.array([{}], object)),
        "npz cut": npz_of(np.ones(4))[:-40],
        "npz compressed": zip_of([("w.npy", npy_of(np.ones(4)))], zipfile.ZIP_DEFLATED),
        "npz with a short array": zip_of([("w.npy", npy_of(np.ones(4))[:-8])]),
        "npz of a huge array": zip_of(
            [("w.npy", npy_of(np.ones(4)).replace(b"(4,), ", b"(9999,)"[:6]))]
        ),
        "npz with names for dtypes": zip_of(
            [
                ("w.npy", npy_of(np.ones(4))),
                ("__meta__.npy", npy_of(np.array('{"dtypes": {"w": "os"}}'))),
            ]
        ),
        "npz with a text of no characters": zip_of(
            [
                ("w.npy", npy_of(np.ones(4))),
                (
                    "__meta__.npy",
                    npy_of(np.array("{}x")).replace(b"x\0\0\0", b"\xff" * 4),
                ),
            ]
        ),
        "npz with no json": zip_of(
            [
                ("w.npy", npy_of(np.ones(4))),
                ("__meta__.npy", npy_of(np.array("[" * 5000))),
            ]
        ),
        "safetensors cut": safetensors_of({"w": ["F32", [4], [0, 16]]}, bytes(8)),
        "safetensors outside": safetensors_of({"w": ["F32", [8], [0, 32]]}, bytes(16)),
        "safetensors with a gap": safetensors_of(
            {"w": ["F32", [2], [8, 16]]}, bytes(16)
        ),
        "safetensors of four bits": safetensors_of(
            {"w": ["F4", [32], [0, 16]]}, bytes(16)
        ),
        "safetensors without json": struct.pack("<Q", 16) + b"{" * 16 + bytes(16),
    }
    return files


def npy_of(array):
    file = io.BytesIO()
    np.lib.format.write_array(file, array)
    return file.getvalue()


def npz_of(array):
    return zip_of([("w.npy", npy_of(array))])


def safetensors_of(tensors, data):
    keys = ("dtype", "shape", "data_offsets")
    header = {
        name: dict(zip(keys, about, strict=True)) for name, about in tensors.items()
    }
    header = str(header).replace("'", '"').encode()
    return struct.pack("<Q", len(header)) + header + data


def deflated_bomb(data):
    """A storage of 64 MB in 64 kB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = (
        b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    )
    file = pth_of(data, packed)
    # The method and the size in both headers of the entry.
    size, real = struct.pack("<I", len(packed)), struct.pack("<I", 64 << 20)
    at = file.rindex(b"a/data/0")
    start = at - 46
    file = bytearray(file)
    file[start + 10 : start + 12] = b"\x08\0"
    assert bytes(file[start + 24 : start + 28]) == size
    file[start + 24 : start + 28] = real
    return bytes(file)


def bombs():
    """Small files that become large, or take for ever, where they are believed."""
    head, put, get = b"\x80\x02", b"r", b"j"
    # A list of ten of a list of ten ..., 60 deep.
    shared = head + b"]" + put + struct.pack("<I", 0)
    for depth in range(60):
        last = get + struct.pack("<I", depth)
        shared += b"](" + last * 10 + b"e" + put + struct.pack("<I", depth + 1)
    megabyte = text("x" * (1 << 20)) + put + struct.pack("<I", 0)
    again = get + struct.pack("<I", 0)
    encode = name("_codecs", "encode") + again + text("latin1") + b"\x86R"
    array = (
        name("numpy.core.multiarray", "_reconstruct")
        + b")R(K\x01"
        + integer(1 << 20)
        + b"\x85"
        + name("numpy", "dtype")
        + text("u1")
        + b"\x89\x88\x87R\x89"
        + encode
        + b"tb"
    )
    items = b"](" + b"(K\x01K\x02t" * 100_000 + b"e" + put + struct.pack("<I", 0)
    ordered = name("collections", "OrderedDict") + again + b"\x85R"
    pickles = {
        "memo of 2**31": head + b"}" + put + b"\xff\xff\xff\x7f" + END,
        "text of 2**40 bytes": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 40) + END,
        "text of 2**63 bytes": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 63) + END,
        "integer of 2**31 bytes": head + b"\x8b\xff\xff\xff\x7f" + END,
        "integer of 100000 bytes": head
        + b"\x8b"
        + struct.pack("<I", 100_000)
        + b"\x7f" * 100_000
        + END,
        "integer in words": head + b"I" + b"9" * 100_000 + b"\n" + END,
        "10**60 items": shared + END,
        "10**60 items for classes": head
        + b"}("
        + text("meta")
        + b"}"
        + text("CLASSES")
        + shared[2:]
        + b"s"
        + text("model")
        + tensor()[2:-1]
        + b"u"
        + END,
        "five million lists": head + b"]" * 5_000_000 + END,
        "two million deep": head + b"](" * 2_000_000 + END,
        "a deep tuple": head + b")" + b"\x85" * 1_000_000 + END,
        "a deep tuple for a key": head + b"})" + b"\x85" * 1_000_000 + b"Ns" + END,
        "a long key used often": head
        + b"("
        + b"K\x01" * 1_000_000
        + b"t"
        + put
        + struct.pack("<I", 0)
        + b"}("
        + (again + b"N") * 300_000
        + b"u"
        + END,
        "numbers of one hash": head
        + b"}("
        + b"".join(integer(n * ((1 << 61) - 1)) + b"N" for n in range(200_000))
        + b"u"
        + END,
        "numbers that collide in a table": head
        + b"}("
        + b"".join(integer(n << 40) + b"N" for n in range(300_000))
        + b"u"
        + END,
        "pairs of numbers": head
        + b"\x8f("
        + b"".join(integer(n << 40) + b"K\x01\x86" for n in range(300_000))
        + b"\x90"
        + END,
        "numbers that collide in the memo": head
        + b"N"
        + b"".join(b"r" + struct.pack("<I", n << 13) for n in range(500_000))
        + END,
        "one text encoded often": head + b"]" + megabyte + (encode + b"a") * 3000 + END,
        "one text in many arrays": head + b"](" + megabyte + array * 3000 + b"e" + END,
        "many dicts of one list": head + b"](" + items + ordered * 3000 + b"e" + END,
    }
    files = {key: pth_of(data) for key, data in pickles.items()}
    for key in ("memo of 2**31", "text of 2**40 bytes", "10**60 items"):
        files[f"{key}, legacy"] = legacy_of(pickles[key])
    files["storage of 2**40, legacy"] = legacy_of(tensor(of=storage(1 << 40)))
    entry = struct.pack("<4s24xHHH12x", b"PK\x01\x02", 1, 0, 0) + b"x"
    count = 400_000
    end = struct.pack("<4s8xIIH", b"PK\x05\x06", count * len(entry), 64, 0)
    files["400 000 entries"] = b"PK\x03\x04" + bytes(60) + entry * count + end
    return files

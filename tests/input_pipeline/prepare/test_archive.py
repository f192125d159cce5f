"""Archives: what is read of them, and what is refused."""

import gzip
import io
import pathlib
import shutil
import struct
import subprocess
import tarfile
import zipfile

import numpy as np
import pytest

from input_pipeline.errors import DataError
from input_pipeline.prepare import archive
from input_pipeline.prepare.archive import list_members, read_member
from input_pipeline.prepare.files import Files
from tests.input_pipeline.prepare import made

FILES = {"top/a.txt": b"alpha", "top/inner/b.txt": b"beta" * 1000}


def contents(source, scratch, inner=""):
    return {m.name: read_member(m) for m in list_members(str(source), scratch, inner)}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tars(tmp_path, mode):
    kind = mode[2:]
    name = f"x.tar{'.' * bool(kind)}{kind}"
    source = made.write_tar(tmp_path / name, FILES, mode)
    scratch = tmp_path / "scratch"
    assert contents(source, scratch) == FILES
    assert scratch.exists() == bool(kind)  # only a compressed one is copied
    assert [m.path for m in list_members(source, scratch)] == [
        f"{name}/{inner}" for inner in FILES
    ]


def test_zips_and_folders(tmp_path):
    left_behind = {"__MACOSX/top/._a.txt": b"x", "top/.DS_Store": b"x"}
    source = made.write_zip(tmp_path / "x.zip", FILES | left_behind)
    assert contents(source, tmp_path / "scratch") == FILES
    folder = made.write_folder(tmp_path / "x", FILES)
    assert contents(folder, tmp_path / "scratch") == FILES
    assert contents(f"{folder}/top/a.txt", tmp_path / "scratch") == {"a.txt": b"alpha"}
    # Archives in a folder are as good as themselves.
    shutil.move(source, folder)
    assert len(list_members(folder, tmp_path / "scratch")) == 4
    assert not (tmp_path / "scratch").exists()


def test_archives_in_archives(tmp_path):
    inner = pathlib.Path(made.write_zip(tmp_path / "2_RGB.zip", FILES)).read_bytes()
    source = made.write_zip(
        tmp_path / "all.zip", {"P/2_RGB.zip": inner, "P/1_DSM.zip": b"no archive"}
    )
    files = Files([source], tmp_path / "scratch", r"2_RGB\.zip$")
    member = files.one(r"2_RGB\.zip/top/a\.txt", "the file")
    assert read_member(member) == b"alpha"
    assert str(member) == f"{source}/P/2_RGB.zip: top/a.txt"


def test_single_compressed_files(tmp_path):
    data = bytes(range(256)) * 40
    (tmp_path / "x.ppm.gz").write_bytes(gzip.compress(data))
    member = list_members(str(tmp_path / "x.ppm.gz"), tmp_path)[0]
    assert read_member(member) == data


def compress(data, most_bits=16):
    """What compress(1) writes of data; codes of 9 bits and more, no CLEAR."""
    table = {bytes([i]): i for i in range(256)}
    codes, prefix, sizes = [], b"", []
    for byte in data:
        longer = prefix + bytes([byte])
        if longer in table:
            prefix = longer
            continue
        codes.append(table[prefix])
        if len(table) + 1 < 1 << most_bits:
            table[longer] = len(table) + 1
        prefix = bytes([byte])
    codes.append(table[prefix])
    out, group, bits = bytearray(), [], 9

    def flush():
        number = sum(code << (i * bits) for i, code in enumerate(group))
        out.extend(number.to_bytes(bits, "little"))
        group.clear()

    for count, code in enumerate(codes):
        # What the decoder's table has before it reads this code.
        if 257 + count - 1 >= 1 << bits and bits < most_bits:
            if group:
                flush()
            bits += 1
        group.append(code)
        if len(group) == 8:
            flush()
        sizes.append(bits)
    if group:
        number = sum(code << (i * bits) for i, code in enumerate(group))
        out.extend(number.to_bytes(-(-len(group) * bits // 8), "little"))
    assert max(sizes) > 10
    return b"\x1f\x9d" + bytes([most_bits | 128]) + bytes(out)


def test_unix_compress(tmp_path):
    rng = np.random.default_rng(0)
    data = rng.integers(0, 40, 60000, dtype="u1").tobytes() + b"a" * 3000
    path = tmp_path / "im0001.ah.ppm.Z"
    for most_bits in (12, 16):
        path.write_bytes(compress(data, most_bits))
        if shutil.which("gzip"):  # which reads this format, too
            told = subprocess.run(
                ["gzip", "-dc", path], capture_output=True, check=True
            )
            assert told.stdout == data
        assert read_member(list_members(str(path), tmp_path)[0]) == data
    damaged = bytearray(path.read_bytes())
    damaged[3:5] = b"\xff\xff"
    path.write_bytes(damaged)
    with pytest.raises(DataError, match="damaged"):
        read_member(list_members(str(path), tmp_path)[0])


@pytest.mark.parametrize(
    "name", ["../up.txt", "a/../../up.txt", "/etc/x", "C:/x", "a\\..\\b", "a\nb"]
)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_names_that_lead_out_are_refused(tmp_path, name, kind):
    write = {"zip": made.write_zip, "tar": made.write_tar}[kind]
    source = write(tmp_path / f"x.{kind}", {"ok.txt": b"", name: b""})
    with pytest.raises(DataError, match="leads out"):
        list_members(source, tmp_path / "scratch")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        entry = tarfile.TarInfo("a.txt")
        entry.type, entry.linkname = kind, "/etc/passwd"
        tar.addfile(entry)
    with pytest.raises(DataError, match="a.txt is a link, a device"):
        list_members(str(tmp_path / "x.tar"), tmp_path)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive_file:
        entry = zipfile.ZipInfo("a.txt")
        entry.external_attr = 0o120777 << 16
        archive_file.writestr(entry, "/etc/passwd")
    with pytest.raises(DataError, match="a.txt is a link"):
        list_members(str(tmp_path / "x.zip"), tmp_path)


def test_bombs(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "FREE_BYTES", 100_000)
    scratch = tmp_path / "scratch"
    zeros = b"\0" * 10_000_000
    source = made.write_zip(tmp_path / "x.zip", {"a.bin": zeros})
    with pytest.raises(DataError, match="a bomb; 250 to 1 is allowed"):
        list_members(source, scratch)
    source = made.write_tar(tmp_path / "x.tar.gz", {"a.bin": zeros}, "w:gz")
    with pytest.raises(DataError, match="decompresses to more than .* a bomb"):
        list_members(source, scratch)
    assert not list(scratch.iterdir())
    (tmp_path / "x.pgm.gz").write_bytes(gzip.compress(zeros))
    monkeypatch.setattr(archive, "_CHUNK", 1000)
    member = list_members(str(tmp_path / "x.pgm.gz"), scratch)[0]
    with pytest.raises(DataError, match="decompresses to more than"):
        read_member(member)
    with pytest.raises(DataError, match="more than 5000 bytes"):
        read_member(member, 5000)
    monkeypatch.setattr(archive, "MAX_MEMBERS", 1)
    with pytest.raises(DataError, match="2 files; an archive may have 1"):
        list_members(made.write_zip(tmp_path / "y.zip", FILES), scratch)


def test_entries_that_overlap(tmp_path):
    """Two entries of the directory that share the data of one, as zip bombs do."""
    source = tmp_path / "x.zip"
    data = made.rgb(size=(40, 40)).tobytes()
    made.write_zip(source, {"a.bin": data}, zipfile.ZIP_STORED)
    raw = source.read_bytes()
    start = raw.index(b"PK\1\2")
    end = raw.index(b"PK\5\6")
    directory = raw[start:end] + raw[start:end].replace(b"a.bin", b"b.bin")
    tail = bytearray(raw[end:])
    tail[8:16] = struct.pack("<HHL", 2, 2, len(directory))
    source.write_bytes(raw[:start] + directory + bytes(tail))
    with pytest.raises(DataError, match="entries overlap"):
        list_members(str(source), tmp_path)


def test_damaged_archives(tmp_path):
    scratch = tmp_path / "scratch"
    files = {f"{i}.bin": made.rgb(i, (60, 60)).tobytes() for i in range(4)}
    whole = {
        "x.zip": made.write_zip,
        "x.tar": made.write_tar,
        "x.tgz": lambda path, files: made.write_tar(path, files, "w:gz"),
    }
    for name, write in whole.items():
        source = pathlib.Path(write(tmp_path / name, files))
        source.write_bytes(source.read_bytes()[:-20000])
        with pytest.raises(DataError, match=f"{name}: .*truncated"):
            list_members(str(source), scratch)
    for name, data in (
        ("page.zip", b"<html>Please log in</html>"),
        ("page.tar.gz", b"<html>Please log in</html>" * 100),
        ("none.zip", b""),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match=f"{name}: .*(truncated|of another kind)"):
            list_members(str(tmp_path / name), scratch)
    with pytest.raises(DataError, match="gone.zip: cannot be opened"):
        list_members(str(tmp_path / "gone.zip"), scratch)


@pytest.mark.parametrize("place", [b"PK\1\2", b"PK\3\4"], ids=["directory", "entry"])
def test_a_name_that_is_no_text(tmp_path, place):
    source = tmp_path / "x.zip"
    made.write_zip(source, {"\u00e9.bin": b"content"})
    raw = bytearray(source.read_bytes())
    raw[raw.index("\u00e9".encode(), raw.index(place))] = 0xFF
    source.write_bytes(raw)
    with pytest.raises(DataError, match=r"x.zip: .*damaged.*'utf-8' codec"):
        contents(str(source), tmp_path)


def test_a_disk_that_cannot_be_written_is_no_damage(tmp_path):
    source = made.write_tar(tmp_path / "x.tgz", FILES, "w:gz")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match=r"scratch/x.tgz.*: cannot be written") as error:
        list_members(source, tmp_path / "file/scratch")
    assert "download" not in str(error.value)


def test_a_flipped_bit_is_found(tmp_path):
    source = tmp_path / "x.zip"
    made.write_zip(
        source, {"a.bin": made.rgb(size=(60, 60)).tobytes()}, zipfile.ZIP_STORED
    )
    raw = bytearray(source.read_bytes())
    raw[5000] ^= 1
    source.write_bytes(raw)
    with pytest.raises(DataError, match="a.bin: the member is truncated, damaged"):
        read_member(list_members(str(source), tmp_path)[0])


def test_what_is_not_read(tmp_path):
    (tmp_path / "x.rar").write_bytes(b"Rar!\x1a\x07")
    with pytest.raises(DataError, match="a RAR archive, which is not read; unpack it"):
        list_members(str(tmp_path / "x.rar"), tmp_path)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive_file:
        archive_file.writestr("a.txt", "secret")
    raw = bytearray(file.getvalue())
    raw[raw.index(b"PK\1\2") + 8] |= 1  # the flag of encryption
    (tmp_path / "x.zip").write_bytes(raw)
    with pytest.raises(DataError, match="a.txt is encrypted"):
        list_members(str(tmp_path / "x.zip"), tmp_path)


def test_errors_of_files(tmp_path):
    one, two = (tmp_path / name for name in ("one", "two"))
    for folder in (one, two):
        made.write_folder(folder / "data", FILES)
    files = Files([str(one / "data"), str(two / "data")], tmp_path / "scratch")
    with pytest.raises(DataError, match="top/a.txt is in two of the sources"):
        files.match(r"top/a\.txt")
    with pytest.raises(DataError, match="needed once; found: none. The sources hold"):
        files.one(r"c\.txt", "the list")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: no files in it"):
        Files([str(tmp_path / "empty")], tmp_path / "scratch")

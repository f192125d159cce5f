"""Archives: the files in a zip, a tar, a gzip or a folder, read without unpacking.

Nothing of an archive is trusted: names that lead out of it, links, devices, encrypted
and overlapping entries are refused when it is listed, and no member is read further
than its entry says. A compressed tar has no index, so it is decompressed once into a
plain one (`_unpacked_tar`).
"""

import bz2
import contextlib
import dataclasses
import functools
import gzip
import io
import lzma
import os
import pathlib
import re
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from input_pipeline.errors import DataError
from input_pipeline.folders import files_below
from input_pipeline.formats.files import open_file
from input_pipeline.prepare.disk import writing
from input_pipeline.prepare.lzw import decompress_lzw

MAX_MEMBERS = 2_000_000
MAX_MEMBER_BYTES = 8 << 30
MAX_NAME = 1000
# What an archive may hold for each of its own bytes, once it holds more than FREE_BYTES.
# Deflate gives up to 1032; of published data sets none is known to give more than 100.
MAX_RATIO = 250
FREE_BYTES = 1 << 30

ARCHIVE_SUFFIXES = (
    *(".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz"),
)
# Files of one member, which has the name without this end.
SINGLE_SUFFIXES = (".gz", ".z")

_TAR_OPENERS = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ", lzma.open),
)
_OTHERS = ((b"7z\xbc\xaf\x27\x1c", "7-Zip"), (b"Rar!", "RAR"))
_LEFT_BY_SYSTEMS = ("__MACOSX", "Thumbs.db", "desktop.ini")
_CHUNK = 1 << 20


@dataclasses.dataclass(frozen=True)
class Member:
    """A file of a source.

    Attributes:
        source: path of the archive or the folder that is read.
        name: path within it.
        size: its bytes; of a member that is a gzip itself, the compressed ones.
        kind: 'zip', 'tar' or 'folder'.
        offset: of a tar, where its bytes begin.
        origin: the source as the user knows it: of a compressed tar or an inner archive
            that one, not its copy.
        above: of an archive in a folder that was given, the path to it from there on.
    """

    source: str
    name: str
    size: int
    kind: str
    offset: int = 0
    origin: str = ""
    above: str = ""

    def __post_init__(self):
        if not self.origin:
            object.__setattr__(self, "origin", self.source)

    @property
    def path(self) -> str:
        """From what was given on, its own name included: what patterns are held to."""
        own = os.path.basename(os.path.abspath(self.origin))
        return os.path.join(self.above, own, self.name)

    @property
    def stem(self) -> str:
        """The last part of the name, up to its first dot."""
        return self.name.rsplit("/", 1)[-1].split(".")[0]

    def __str__(self) -> str:
        return f"{self.origin}: {self.name}"


def is_archive(name: str) -> bool:
    """Whether a file's name is an archive's."""
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def list_members(source: str, scratch: pathlib.Path, inner: str = "") -> list[Member]:
    """The files of an archive or a folder; archives inside a folder are opened, too.

    Args:
        source: a zip, a tar, a compressed tar, a folder, or any single file.
        scratch: folder for the plain form of compressed tars and of inner archives.
        inner: pattern of the names of the archives within an archive that are opened;
            '' opens none.

    Raises:
        DataError: no such file, no archive, a truncated or a dangerous one.
    """
    if not os.path.isdir(source):
        return _list_file(source, source, scratch, inner)
    members = []
    for name in files_below(source):
        path = os.path.join(source, name)
        if is_archive(name):
            above = os.path.join(os.path.basename(os.path.abspath(source)), name)
            members += [
                dataclasses.replace(member, above=os.path.dirname(above))
                for member in _list_file(path, path, scratch, inner)
            ]
        elif os.path.basename(name) not in _LEFT_BY_SYSTEMS:
            members.append(Member(source, name, os.path.getsize(path), "folder"))
    return members


def _list_file(
    source: str, origin: str, scratch: pathlib.Path, inner: str
) -> list[Member]:
    """The files of the archive `source`, a copy perhaps, which the user has as `origin`.

    A file that is no archive is the one member of its folder.
    """
    with open_file(source) as file:
        start = file.read(512)
    for magic, kind in _OTHERS:
        if start.startswith(magic):
            raise DataError(
                f"{source}: a {kind} archive, which is not read; unpack it and give the "
                "folder."
            )
    lower = source.lower()
    if lower.endswith(".zip") or start.startswith(b"PK"):
        return _with_inner_archives(_list_zip(source, origin), scratch, inner)
    if lower.endswith(ARCHIVE_SUFFIXES):
        plain = source
        for magic, opener in _TAR_OPENERS:
            if start.startswith(magic):
                plain = _unpacked_tar(source, opener, scratch)
        return _with_inner_archives(_list_tar(plain, origin), scratch, inner)
    folder, name = os.path.split(os.path.abspath(source))
    return [Member(folder, name, os.path.getsize(source), "folder")]


def _list_zip(source: str, origin: str) -> list[Member]:
    with _damage(origin, "zip"):
        entries = _open_zip(source).infolist()
    taken = sum(entry.compress_size for entry in entries)
    if taken > os.path.getsize(source):
        raise DataError(
            f"{origin}: its entries overlap ({taken} bytes of data in a file of "
            f"{os.path.getsize(source)}): a bomb, or a damaged zip."
        )
    members = []
    for entry in entries:
        if entry.is_dir():
            continue
        if entry.flag_bits & 1:
            raise DataError(
                f"{origin}: {entry.filename} is encrypted; unpack it first."
            )
        if (entry.external_attr >> 16) & 0o170000 == 0o120000:
            raise DataError(f"{origin}: {entry.filename} is a link; it must be a file.")
        name, size = entry.filename, entry.file_size
        members.append(Member(source, name, size, "zip", origin=origin))
    return _checked(origin, members, os.path.getsize(source))


def _list_tar(source: str, origin: str) -> list[Member]:
    members = []
    with _damage(origin, "tar"), tarfile.open(source, "r:") as tar:
        for entry in tar:
            if entry.isdir():
                continue
            if not entry.isreg() or entry.issparse():
                raise DataError(
                    f"{origin}: {entry.name} is a link, a device or sparse; it must be "
                    "a plain file."
                )
            name = entry.name.removeprefix("./")
            place = entry.offset_data
            members.append(Member(source, name, entry.size, "tar", place, origin))
        last = max((m.offset + m.size for m in members), default=0)
        if last > os.path.getsize(source):
            raise DataError(f"{origin}: the tar is truncated; download it again.")
    return _checked(origin, members, os.path.getsize(source))


def _checked(source: str, members: list[Member], size: int) -> list[Member]:
    """The members without what systems leave behind.

    Raises:
        DataError: a name that leads out, too many, too much.
    """
    if len(members) > MAX_MEMBERS:
        raise DataError(
            f"{source}: {len(members)} files; an archive may have {MAX_MEMBERS}."
        )
    for member in members:
        check_name(source, member.name)
        if member.size > MAX_MEMBER_BYTES:
            raise DataError(
                f"{member}: {member.size} bytes; a file may have {MAX_MEMBER_BYTES}."
            )
    total = sum(member.size for member in members)
    if total > max(FREE_BYTES, MAX_RATIO * size):
        raise DataError(
            f"{source}: {size} bytes that decompress to {total}: a bomb; "
            f"{MAX_RATIO} to 1 is allowed."
        )
    kept = []
    for member in members:
        parts = member.name.split("/")
        hidden = any(part.startswith(".") for part in parts)
        if not hidden and not any(part in _LEFT_BY_SYSTEMS for part in parts):
            kept.append(member)
    return kept


def check_name(source: str, name: str) -> None:
    """Refuses a path that leads out of the folder that it is taken below.

    Raises:
        DataError: an absolute path, one with '..', a backslash, a control character,
            or too long a one.
    """
    parts = name.split("/")
    wrong = (
        name.startswith("/")
        or ".." in parts
        or "\\" in name
        or any(ord(character) < 32 for character in name)
        or len(name) > MAX_NAME
        or (len(parts[0]) == 2 and parts[0][1] == ":")
    )
    if wrong:
        raise DataError(
            f"{source}: the name {name[:MAX_NAME]!r} leads out of the archive, or is "
            "no path; nothing of it was read."
        )


def _unpacked_tar(source: str, opener, scratch: pathlib.Path) -> str:
    """A compressed tar as a plain one in `scratch`, made if it is not there."""
    limit = max(FREE_BYTES, MAX_RATIO * os.path.getsize(source))
    status = os.stat(source)
    name = f"{os.path.basename(source)}.{status.st_size}.{int(status.st_mtime)}.tar"
    with _damage(source, "compressed tar"), opener(source, "rb") as file:
        return _spool(file, scratch / name, limit, source)


def _with_inner_archives(
    members: list[Member], scratch: pathlib.Path, inner: str
) -> list[Member]:
    """The members; in place of archives that match `inner`, what those hold.

    They are copied to `scratch` first. Those within them are not opened, so that no
    archive that holds itself is followed.
    """
    flat = []
    for member in members:
        if not (inner and is_archive(member.name) and re.search(inner, member.name)):
            flat.append(member)
            continue
        folder = scratch / f"{os.path.basename(member.origin)}.{member.size}"
        target = folder / os.path.basename(member.name)
        with _damage(str(member), "archive"), open_member(member) as file:
            path = _spool(file, target, member.size, str(member))
        flat += _list_file(path, f"{member.origin}/{member.name}", scratch, "")
    return flat


def _spool(file: BinaryIO, target: pathlib.Path, limit: int, source: str) -> str:
    """The path of a copy of all that a file has, made if it is not there."""
    if target.exists():
        return str(target)
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as draft:
            try:
                for number, chunk in enumerate(_chunks(file, limit, source)):
                    if number % 64 == 0:
                        _check_disk(target.parent, source)
                    draft.write(chunk)
                draft.close()
                os.replace(draft.name, target)
            except BaseException:
                pathlib.Path(draft.name).unlink(missing_ok=True)
                raise
    return str(target)


def _chunks(file: BinaryIO, limit: int, source: str) -> Iterator[bytes]:
    """What a file has, in pieces; an error of reading is one of the archive."""
    taken = 0
    while True:
        with _damage(source, "archive"):
            chunk = file.read(_CHUNK)
        if not chunk:
            return
        taken += len(chunk)
        if taken > limit:
            raise DataError(
                f"{source}: decompresses to more than {limit} bytes: a bomb."
            )
        yield chunk


def _check_disk(folder: pathlib.Path, source: str) -> None:
    if shutil.disk_usage(folder).free < 256 * _CHUNK:
        raise DataError(
            f"{source}: {folder} has less than 256 MB free; make room, or give an "
            "--output on another disk."
        )


@contextlib.contextmanager
def open_member(member: Member) -> Iterator[BinaryIO]:
    """The bytes of a member as a stream."""
    if member.kind == "zip":
        with _open_zip(member.source).open(member.name) as file:
            yield file
    else:
        name = member.name if member.kind == "folder" else ""
        with open_file(os.path.join(member.source, name).rstrip("/")) as file:
            file.seek(member.offset)
            yield file


def read_member(member: Member, limit: int = MAX_MEMBER_BYTES) -> bytes:
    """All bytes of a member; those of a `.gz` or `.Z` decompressed.

    Args:
        member: from `list_members`.
        limit: the most bytes that are decompressed.

    Raises:
        DataError: it is truncated, damaged or larger than the archive says or the limit
            allows.
    """
    with _damage(str(member), "member"), open_member(member) as file:
        data = file.read(member.size)
        if len(data) < member.size or (member.kind == "zip" and file.read(1)):
            raise DataError(
                f"{member}: {len(data)} bytes in place of {member.size}; the archive is "
                "truncated or damaged; download it again."
            )
        limit = min(limit, max(64 * _CHUNK, MAX_RATIO * len(data)))
        if data.startswith(b"\x1f\x8b") and member.name.lower().endswith(".gz"):
            data = _gunzip(data, limit)
        elif data.startswith(b"\x1f\x9d"):
            data = decompress_lzw(data, str(member), limit)
    if len(data) > limit:
        raise DataError(f"{member}: decompresses to more than {limit} bytes: a bomb.")
    return data


def _gunzip(data: bytes, limit: int) -> bytes:
    """The first `limit` bytes of a gzip, and one more if there are more."""
    with gzip.open(io.BytesIO(data)) as file:
        return file.read(limit + 1)


@functools.lru_cache(maxsize=32)
def _open_zip(path: str) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


@contextlib.contextmanager
def _damage(source: str, kind: str):
    """The errors of a damaged archive as one that names it."""
    try:
        yield
    except (
        *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError),
        *(UnicodeDecodeError, NotImplementedError, KeyError, RuntimeError, OSError),
    ) as error:
        raise DataError(
            f"{source}: the {kind} is truncated, damaged or of another kind than its "
            f"name says ({error}); download it again."
        ) from error

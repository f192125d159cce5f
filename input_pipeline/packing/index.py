"""Packing index: one JSON file that says what lies where.

A packed data set is a folder of `index.json` and a few large data files. The index is
written last, so that a folder with one is complete.
"""

import dataclasses
import json
import math
import os
import pathlib
import re
from typing import Self

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.formats.files import read_bytes
from input_pipeline.packing.stored import Malformed, parse

# 2: checksums of whole records. Another version is packed anew, not read.
VERSION = 2
FILE_NAME = "index.json"
FORMATS = ("raw", "arrayrecord")

# What `pack` writes: truth values, integers and floats.
_DTYPE = re.compile("[<>|](b1|[ui][1248]|f[248])")

# A label begins at the next multiple, so that its type's alignment is kept.
ALIGNMENT = 64


@dataclasses.dataclass(frozen=True)
class Source:
    """A file that was decoded: its path, its bytes and their SHA-256."""

    path: str
    size: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Array:
    """Shape and numpy's name of the type, with the byte order."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def num_bytes(self) -> int:
        """The number of bytes of its content."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclasses.dataclass(frozen=True)
class Record:
    """An image and its label, as they were decoded.

    Attributes:
        shard: number of the data file.
        offset: first byte in it; in an ArrayRecord file the number of the record.
        img: the image, (H, W, C).
        label: the label as stored in its file, (H, W) or (H, W, C), or None.
        checksum: the checksum of all its bytes; see `storage.checksum`.
        facts: which of the index's `facts` belong to it.
        name: `img_path` of the data set's record.
        sources: the image file and the label file; empty where the data set gave
            pixels.
    """

    shard: int
    offset: int
    img: Array
    label: Array | None
    checksum: int
    facts: int
    name: str
    sources: tuple[Source, ...]

    @property
    def arrays(self) -> list[Array]:
        """The image, and the label if there is one."""
        return [array for array in (self.img, self.label) if array is not None]

    @property
    def num_bytes(self) -> int:
        """The number of bytes of both, and of what lies between them."""
        *before, last = (array.num_bytes for array in self.arrays)
        return sum(size + -size % ALIGNMENT for size in before) + last


@dataclasses.dataclass(frozen=True)
class _Metainfo:
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]


@dataclasses.dataclass(frozen=True)
class _Facts(_Metainfo):
    """`SegDataset.facts()`; JSON has no integers for keys."""

    reduce_zero_label: bool
    label_map: dict[str, int] | None
    ignore_index: int

    def as_given(self) -> dict:
        label_map = self.label_map
        if label_map is not None:
            label_map = {_integer(old): new for old, new in label_map.items()}
        return {**vars(self), "label_map": label_map}


def _integer(key: str) -> int:
    try:
        return int(key)
    except ValueError as error:
        raise Malformed(f"label_map has the key {key[:20]!r}, no integer") from error


@dataclasses.dataclass(frozen=True)
class Header:
    """What is known before the first image is read.

    Attributes:
        format: 'raw' or 'arrayrecord'.
        color_type: how images were decoded, as in LoadImageFromFile.
        num_samples: the number of samples of the data set.
        shard_bytes: size at which the next data file begins.
        metainfo: `classes` and `palette`.
        config: the data set's part of a config, for comparison with another.
        version: the version of this format.
    """

    format: str
    color_type: str
    num_samples: int
    shard_bytes: int
    metainfo: dict
    config: dict
    version: int = VERSION

    def is_same(self, other: "Header") -> bool:
        """Whether both say the same; a header that was read has lists for tuples."""
        one, two = (json.dumps(dataclasses.asdict(h)) for h in (self, other))
        return one == two


@dataclasses.dataclass
class Part:
    """What a data file holds, or several of them one after the other.

    Attributes:
        sizes: bytes of each data file.
        records: what they hold.
        samples: number of the record of each sample; several may share one.
        facts: `SegDataset.facts()` of the records, each kind once.
    """

    sizes: list[int] = dataclasses.field(default_factory=list)
    records: list[Record] = dataclasses.field(default_factory=list)
    samples: list[int] = dataclasses.field(default_factory=list)
    facts: list[dict] = dataclasses.field(default_factory=list)

    def extend(self, other: "Part"):
        """Appends what came next; its facts repeat the earlier ones."""
        self.sizes += other.sizes
        self.records += other.records
        self.samples += other.samples
        self.facts = other.facts


@dataclasses.dataclass
class Index:
    """A header and what belongs to it; `index.json`, or the part of one data file."""

    header: Header
    part: Part

    def write(self, path: pathlib.Path):
        """Writes all of it, or nothing."""
        draft = path.with_name(path.name + ".new")
        text = json.dumps(dataclasses.asdict(self), separators=(",", ":"))
        with open(draft, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)

    @classmethod
    def read(cls, path: pathlib.Path) -> Self:
        """Reads the index of a whole data set.

        Raises:
            DataError: no such file, another version, no index or a damaged one.
        """
        index = cls.read_part(path)
        try:
            _check_references(index)
        except Malformed as error:
            raise _damaged(path, error) from error
        return index

    @classmethod
    def read_part(cls, path: pathlib.Path) -> Self:
        """Reads what one data file holds; its records count the files before it.

        Raises:
            DataError: as `read`.
        """
        try:
            stored = json.loads(read_bytes(path))
        except DataError:
            raise
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}: not a packed data set ({error}).") from error
        header = stored.get("header") if isinstance(stored, dict) else None
        version = header.get("version") if isinstance(header, dict) else None
        if version != VERSION:
            raise DataError(
                f"{path}: a packed data set of version {str(version)[:20]}; this program "
                f"reads version {VERSION}. Pack it again with scripts/pack_dataset.py."
            )
        try:
            index = parse(cls, stored)
            index.header.metainfo.update(
                vars(parse(_Metainfo, index.header.metainfo, "header.metainfo"))
            )
            index.part.facts = [
                parse(_Facts, facts, f"part.facts.{place}").as_given()
                for place, facts in enumerate(index.part.facts)
            ]
        except Malformed as error:
            raise _damaged(path, error) from error
        return index


def shard_name(header: Header, shard: int) -> str:
    """Name of a data file."""
    suffix = {"raw": "bin", "arrayrecord": "array_record"}[header.format]
    return f"data-{shard:05d}.{suffix}"


def _damaged(path: pathlib.Path, error: Malformed) -> DataError:
    return DataError(
        f"{path}: not a packed data set, or a damaged one: {error}. Copy or pack the "
        "data set again."
    )


def _check_references(index: Index):
    """Raises Malformed for types that no array has, and numbers that point nowhere."""
    header, part = index.header, index.part
    if header.format not in FORMATS:
        raise Malformed(f"header.format is {header.format[:20]!r}, not of {FORMATS}")
    if header.num_samples != len(part.samples) or not part.samples:
        raise Malformed(f"it has {len(part.samples)} of {header.num_samples} samples")
    for place, record in enumerate(part.records):
        where = f"part.records.{place}"
        for array in record.arrays:
            if len(array.shape) not in (2, 3) or not _DTYPE.fullmatch(array.dtype):
                raise Malformed(
                    f"{where} has an array {array.shape} of {array.dtype[:20]!r}"
                )
        _check_place(f"{where}.shard", record.shard, part.sizes)
        _check_place(f"{where}.facts", record.facts, part.facts)
        end = record.offset + record.num_bytes
        if header.format == "raw" and end > part.sizes[record.shard]:
            raise Malformed(f"{where} ends beyond its data file, at byte {end}")
    for place, record in enumerate(part.samples):
        _check_place(f"part.samples.{place}", record, part.records)
    unused = set(range(len(part.records))).difference(part.samples)
    if unused:
        raise Malformed(f"part.records.{min(unused)} belongs to no sample")


def _check_place(where: str, place: int, of: list):
    if place >= len(of):
        raise Malformed(f"{where} is {place}, of {len(of)}")

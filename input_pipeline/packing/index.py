"""The index of a packed data set: one JSON file that says what lies where.

A packed data set is a folder of `index.json` and a few large data files. The index is
written last, so that a folder with one is complete.
"""

import dataclasses
import json
import os
import pathlib
from typing import Any, Self

from input_pipeline.errors import DataError

VERSION = 1
FILE_NAME = "index.json"
FORMATS = ("raw", "arrayrecord")


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


@dataclasses.dataclass(frozen=True)
class Record:
    """An image and its label, as they were decoded.

    Attributes:
      shard: number of the data file.
      offset: first byte in it; in an ArrayRecord file the number of the record.
      img: the image, (H, W, C).
      label: the label as stored in its file, (H, W) or (H, W, C), or None.
      crc32: of the bytes of both.
      facts: which of the index's `facts` belong to it.
      name: `img_path` of the data set's record.
      sources: the image file and the label file; empty where the data set gave pixels.
    """

    shard: int
    offset: int
    img: Array
    label: Array | None
    crc32: int
    facts: int
    name: str
    sources: tuple[Source, ...]


@dataclasses.dataclass(frozen=True)
class Header:
    """What is known before the first image is read.

    Attributes:
      format: 'raw' or 'arrayrecord'.
      color_type: how images were decoded, as in LoadImageFromFile.
      num_samples: of the data set.
      shard_bytes: size at which the next data file begins.
      metainfo: `classes` and `palette`.
      config: the data set's part of a config, for comparison with another.
      version: of this format.
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
        """Reads one.

        Raises:
          DataError: no such file, another version, or no index.
        """
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise DataError(f"{path}: cannot be opened ({error.strerror}).") from error
        except ValueError as error:
            raise DataError(f"{path}: not a packed data set ({error}).") from error
        version = None
        if isinstance(stored, dict):
            version = (stored.get("header") or {}).get("version")
        if version != VERSION:
            raise DataError(
                f"{path}: a packed data set of version {version}; this program reads "
                f"version {VERSION}. Pack it anew with scripts/pack_dataset.py."
            )
        header, part = Header(**stored["header"]), stored["part"]
        header.metainfo.update(_tuples(header.metainfo))
        records = [_record(entry) for entry in part["records"]]
        facts = [_facts(entry) for entry in part["facts"]]
        return cls(header, Part(part["sizes"], records, part["samples"], facts))


def shard_name(header: Header, shard: int) -> str:
    """Name of a data file."""
    suffix = {"raw": "bin", "arrayrecord": "array_record"}[header.format]
    return f"data-{shard:05d}.{suffix}"


def _record(stored: dict) -> Record:
    arrays = {
        key: stored[key] and Array(tuple(stored[key]["shape"]), stored[key]["dtype"])
        for key in ("img", "label")
    }
    sources = tuple(Source(**source) for source in stored["sources"])
    return Record(**stored | arrays | {"sources": sources})


def _facts(stored: dict) -> dict:
    """Facts as a data set gives them: JSON has no tuples, and no integers for keys."""
    label_map = stored["label_map"]
    if label_map is not None:
        label_map = {int(old): new for old, new in label_map.items()}
    return _tuples(stored) | {"label_map": label_map}


def _tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_tuples(child) for child in value)
    if isinstance(value, dict):
        return {key: _tuples(child) for key, child in value.items()}
    return value

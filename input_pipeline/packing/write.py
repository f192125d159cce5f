"""Packing writer: decodes a data set once, into a few large files.

A data file is complete when it has its name, and what it holds stands in a part of the
index beside it. So a run that ends early, however it ends, goes on after its last
complete file.
"""

import collections
import contextlib
import dataclasses
import hashlib
import itertools
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from typing import Any

import numpy as np

from input_pipeline.decode import read_image, read_label
from input_pipeline.errors import DataError
from input_pipeline.formats.files import open_file
from input_pipeline.packing.index import (
    FILE_NAME,
    FORMATS,
    Array,
    Header,
    Index,
    Part,
    Record,
    Source,
    shard_name,
)
from input_pipeline.packing.storage import WRITERS, checksum, to_bytes
from input_pipeline.scan import reading
from input_pipeline.sources import SegDataset

SHARD_BYTES = 1 << 30

# Samples that are decoded ahead of the one that is written.
_AHEAD = 16


def pack(
    dataset: SegDataset,
    folder: str | os.PathLike,
    *,
    format: str = "raw",
    config: Mapping[str, Any] | None = None,
    shard_bytes: int = SHARD_BYTES,
    num_threads: int = 4,
    progress: Callable[[int], None] = lambda samples: None,
) -> Index:
    """Writes the images and labels of a data set as its sources give them.

    Nothing of the pipeline is applied, but for LoadImageFromFile's `color_type`. A
    file that several samples share is written once. Goes on where an earlier call with
    the same arguments ended.

    Args:
        dataset: what to write.
        folder: where to; made if it does not exist.
        format: 'raw' or 'arrayrecord'; see `storage.py`.
        config: the data set's part of a config, which is kept with it.
        shard_bytes: size at which the next data file begins.
        num_threads: samples decoded at a time.
        progress: called with the number of samples that are done since the last call.

    Returns:
        The index.

    Raises:
        DataError: a file that cannot be used, a folder with another data set, or a
            complete one, or a disk that is full.
    """
    if format not in FORMATS:
        raise DataError(f"format is {format!r}; it must be one of {FORMATS}.")
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / FILE_NAME).exists():
        raise DataError(
            f"{folder} holds a packed data set that is complete; check it, or remove it."
        )
    how = reading(dataset)
    header = Header(
        format=format,
        color_type=how.get("color_type", "color"),
        num_samples=len(dataset),
        shard_bytes=shard_bytes,
        metainfo=dataset.metainfo,
        config=dict(config or {}),
    )
    index = Index(header, _finished_parts(folder, header))
    progress(len(index.part.samples))
    numbering = _Numbering(dataset, index.part)
    samples = _decoded(dataset, len(index.part.samples), numbering, how, num_threads)
    with contextlib.closing(samples):
        for shard in itertools.count(len(index.part.sizes)):
            if len(index.part.samples) == len(dataset):
                break
            part = _write_shard(folder, header, shard, samples, progress)
            part.facts = list(numbering.facts)
            Index(header, part).write(_part_path(folder, shard))
            index.part.extend(part)
    index.write(folder / FILE_NAME)
    for shard in range(len(index.part.sizes)):
        _part_path(folder, shard).unlink(missing_ok=True)
    return index


def _part_path(folder, shard):
    return folder / f"part-{shard:05d}.json"


def _finished_parts(folder: pathlib.Path, header: Header) -> Part:
    """What an earlier call has written."""
    whole = Part()
    for shard in itertools.count():
        path = _part_path(folder, shard)
        if not path.exists():
            return whole
        found = Index.read_part(path)
        if not found.header.is_same(header):
            raise DataError(
                f"{folder} holds the beginning of another data set, or of this one "
                f"with other options ({path.name}); remove it, or use another folder."
            )
        whole.extend(found.part)


class _Numbering:
    """Which record a sample has: that of an earlier one of the same files, or a new.

    Attributes:
        facts: the facts of the records so far, each kind once.
    """

    def __init__(self, dataset: SegDataset, done: Part):
        self._keys = tuple(dataset.facts())
        self.facts = list(done.facts)
        self._count = len(done.records)
        self._known = {
            (record.facts, *(source.path for source in record.sources)): number
            for number, record in enumerate(done.records)
            if record.sources
        }

    def facts_of(self, record: dict) -> int:
        """Number of the facts of a data set's record."""
        facts = {key: record[key] for key in self._keys}
        if facts not in self.facts:
            self.facts.append(facts)
        return self.facts.index(facts)

    def number(self, record: dict) -> tuple[int, bool]:
        """(number of its record, whether that is new) of a data set's record."""
        key = (self.facts_of(record), *_paths(record))
        if "img" not in record and key in self._known:
            return self._known[key], False
        self._known[key] = self._count
        self._count += 1
        return self._known[key], True


@dataclasses.dataclass(frozen=True)
class _Decoded:
    """What becomes a record.

    Attributes:
        arrays: the image, and the label if there is one.
        facts: number of the facts.
        name: `img_path` of the data set's record.
        sources: the files behind it.
    """

    arrays: tuple[np.ndarray, ...]
    facts: int
    name: str
    sources: tuple[Source, ...]

    def record(self, shard: int, offset: int, content: bytes) -> Record:
        """The record, once its bytes and their place are known."""
        stored = [Array(a.shape, a.dtype.str) for a in self.arrays]
        return Record(
            shard=shard,
            offset=offset,
            img=stored[0],
            label=stored[1] if len(stored) > 1 else None,
            checksum=checksum(content),
            facts=self.facts,
            name=self.name,
            sources=self.sources,
        )


def _decoded(
    dataset: SegDataset,
    start: int,
    numbering: _Numbering,
    how: Mapping[str, Any],
    num_threads: int,
) -> Iterator[tuple[int, _Decoded | None]]:
    """(number of its record, the record, or None if it is an earlier one's) by sample."""
    waiting = collections.deque()
    with futures.ThreadPoolExecutor(num_threads) as threads:
        for index in range(start, len(dataset)):
            record = dataset[index]
            number, is_new = numbering.number(record)
            facts = numbering.facts_of(record)
            task = threads.submit(_decode, record, facts, how) if is_new else None
            waiting.append((number, task))
            if len(waiting) > _AHEAD:
                number, task = waiting.popleft()
                yield number, task and task.result()
        for number, task in waiting:
            yield number, task and task.result()


def _decode(record: dict, facts: int, how: Mapping[str, Any]) -> _Decoded:
    name = record["img_path"]
    if "img" in record:
        held = [np.asarray(record[k]) for k in ("img", "gt_seg_map") if k in record]
        return _Decoded(tuple(held), facts, name, ())
    if "img_path2" in record:
        raise DataError(
            f"{name}: a packed data set holds one image a sample, and this one has two"
        )
    if "painter" in record:
        raise DataError(
            f"{record['seg_map_path']}: labels of shapes are not packed; write them as "
            "PNG before: python -m jaxseg.prepare polygons --config FILE --output DIR"
        )
    arrays = [read_image(name, **how)]
    if "seg_map_path" in record:
        arrays.append(read_label(record["seg_map_path"]))
    sources = tuple(read_source(path) for path in _paths(record))
    return _Decoded(tuple(arrays), facts, name, sources)


def _paths(record: dict) -> list[str]:
    return [record[key] for key in ("img_path", "seg_map_path") if key in record]


def read_source(path: str) -> Source:
    """Size and checksum of a file.

    Raises:
        DataError: if it cannot be opened.
    """
    try:
        with open_file(path) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return Source(path, file.tell(), digest)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error


def _write_shard(
    folder: pathlib.Path,
    header: Header,
    shard: int,
    samples: Iterator[tuple[int, _Decoded | None]],
    progress: Callable[[int], None],
) -> Part:
    """Writes samples until the data file is large enough, or none are left."""
    path = folder / shard_name(header, shard)
    draft = path.with_name(path.name + ".new")
    part = Part()
    try:
        with contextlib.closing(WRITERS[header.format](draft)) as writer:
            for number, decoded in samples:
                if decoded is not None:
                    content = to_bytes(decoded.arrays)
                    offset = writer.add(content)
                    part.records.append(decoded.record(shard, offset, content))
                part.samples.append(number)
                progress(1)
                if writer.size >= header.shard_bytes:
                    break
    except OSError as error:
        raise DataError(
            f"{draft}: cannot be written ({error}). The files before it are complete; "
            "another run goes on behind them."
        ) from error
    part.sizes.append(draft.stat().st_size)
    os.replace(draft, path)
    return part

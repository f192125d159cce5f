"""Packing check: whether a packed data set is still what its sources hold."""

import pathlib
from collections.abc import Callable
from concurrent import futures

from input_pipeline.errors import DataError
from input_pipeline.packing.index import FILE_NAME, Index, Record
from input_pipeline.packing.storage import checksum, open_shards, to_bytes
from input_pipeline.packing.write import read_source
from input_pipeline.sources import SegDataset, some_of


def check(
    dataset: SegDataset,
    folder: str | pathlib.Path,
    *,
    num_threads: int = 4,
    progress: Callable[[int], None] = lambda records: None,
) -> Index:
    """Compares a packed data set with its sources, and with its own checksums.

    Args:
        dataset: what it was packed from.
        folder: where it is.
        num_threads: records checked at a time.
        progress: called with the number of records that are done since the last call.

    Returns:
        The index.

    Raises:
        DataError: files that are missing, new, or changed since; damaged records. It
            names the first ten, and says how many there are.
    """
    folder = pathlib.Path(folder)
    index = Index.read(folder / FILE_NAME)
    reader = open_shards(folder, index)
    part = index.part
    if len(dataset) != len(part.samples):
        raise DataError(
            f"{folder} has {len(part.samples)} samples, the data set {len(dataset)}; "
            "pack it again."
        )
    faults = []
    first_of = {}
    for sample, number in enumerate(part.samples):
        first_of.setdefault(number, sample)
        faults += _other_files(dataset, sample, part.records[number])

    def faults_of(number):
        return _faults(part.records[number], reader, dataset, first_of[number])

    with futures.ThreadPoolExecutor(num_threads) as threads:
        for found in threads.map(faults_of, range(len(part.records))):
            faults += found
            progress(1)
    if faults:
        raise DataError(
            f"{folder} does not agree with its sources in {len(faults)} places:\n"
            f"{some_of(faults)}"
        )
    return index


def _other_files(dataset, sample, record: Record) -> list[str]:
    if not record.sources:
        return []
    packed = [source.path for source in record.sources]
    now = dataset[sample]
    now = [now[key] for key in ("img_path", "seg_map_path") if key in now]
    if now == packed:
        return []
    return [f"sample {sample} is {', '.join(now)}; packed was {', '.join(packed)}"]


def _faults(record: Record, reader, dataset, sample) -> list[str]:
    """What is wrong with a record, and with the files or pixels behind it."""
    faults = []
    try:
        reader.read(record)
    except DataError as error:
        faults.append(str(error))
    if not record.sources:
        now = dataset[sample]
        arrays = [now[key] for key in ("img", "gt_seg_map") if key in now]
        if checksum(to_bytes(arrays)) != record.checksum:
            faults.append(f"{record.name}: the data set gives other pixels now")
    for source in record.sources:
        try:
            now = read_source(source.path)
        except DataError as error:
            faults.append(str(error))
            continue
        if now != source:
            faults.append(
                f"{source.path}: changed since it was packed: {now.size} bytes, SHA-256 "
                f"{now.sha256[:12]}...; it had {source.size}, {source.sha256[:12]}..."
            )
    return faults

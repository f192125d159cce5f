"""Written labels: a data set's labels, whatever their form, once as PNG of class ids."""

import json
import os
from collections.abc import Callable
from concurrent import futures

import numpy as np
from PIL import Image

from input_pipeline.datasets import BaseSegDataset
from input_pipeline.errors import DataError
from input_pipeline.transforms import LoadAnnotations

# Beside the labels, so that those of other classes are not taken for these.
_SETTINGS = "labels.json"


def write_labels(
    dataset: BaseSegDataset,
    folder: str,
    num_threads: int = 1,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> list[str]:
    """Writes a PNG a sample, of its class ids, all settings of the data set applied.

    A file has its name only when it is whole; one that exists is left as it is, so that
    a run that was interrupted goes on.

    Args:
        dataset: a data set of folders, with labels.
        folder: gets a PNG below it for each image, with the image's path below the
            image folder.
        num_threads: samples at a time.
        progress: called with the number of samples done, and of all.

    Returns:
        The paths that were written now.

    Raises:
        DataError: another data set, an image without a label, a label that a training
            would refuse, two images that differ in their suffix alone, a folder with
            labels of other settings.
    """
    if not isinstance(dataset, BaseSegDataset):
        raise DataError(
            f"{type(dataset).__name__} is no data set of folders, whose labels are "
            "written as PNG."
        )
    records = [dataset[index] for index in range(len(dataset))]
    bare = [record["img_path"] for record in records if "seg_map_path" not in record]
    if bare:
        raise DataError(f"{len(bare)} samples have no label: {bare[0]}, ...")
    names = [os.path.join(folder, f"{stem}.png") for stem in dataset.stems()]
    if len(set(names)) < len({record["img_path"] for record in records}):
        raise DataError(
            f"{dataset.data_root}: images that differ in their suffix alone would get "
            "one label."
        )
    _agree(os.path.join(folder, _SETTINGS), dataset, records[0])
    load = next(
        (t for t in dataset.pipeline if isinstance(t, LoadAnnotations)),
        LoadAnnotations(),
    )

    def write(record, name):
        if os.path.exists(name):
            return None
        label = load.label_of(record)
        os.makedirs(os.path.dirname(name), exist_ok=True)
        draft = f"{name}.new"
        with open(draft, "wb") as file:
            Image.fromarray(np.ascontiguousarray(label)).save(file, "PNG")
        os.replace(draft, name)
        return name

    todo = dict(zip(names, records, strict=True))
    written = []
    with futures.ThreadPoolExecutor(num_threads) as threads:
        tasks = [threads.submit(write, record, name) for name, record in todo.items()]
        try:
            for done, task in enumerate(tasks, 1):
                written.append(task.result())
                progress(done, len(tasks))
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise
    return [name for name in written if name is not None]


def _agree(path, dataset, record):
    """Writes the settings of the labels, or compares them with those that are there."""
    settings = dataset.facts() | {"painter": repr(record.get("painter"))}
    text = json.dumps(settings, indent=1, sort_keys=True)
    try:
        with open(path, encoding="utf-8") as file:
            found = file.read()
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return
    if found != text:
        raise DataError(
            f"{path}: the folder has labels of other classes or settings; remove it, or "
            "write to another."
        )

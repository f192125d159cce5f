"""Class weights by name: numbers that a training computes from its own labels."""

import functools
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from input_pipeline.errors import DataError
from input_pipeline.sources import SegDataset, some_of
from input_pipeline.transforms import LoadAnnotations
from jaxseg.diagnose.read_through import in_threads
from jaxseg.diagnose.sample import first_of
from jaxseg.diagnose.suggest import (
    inverse_frequency_weights,
    inverse_log_weights,
    median_frequency_weights,
)
from jaxseg.diagnose.tally import ClassTally
from jaxseg.losses.class_weight import FROM_DATA

_log = logging.getLogger("jaxseg")

_FORMULAS: Mapping[str, Callable[[Sequence[ClassTally]], list[float]]] = dict(
    zip(
        FROM_DATA,
        (median_frequency_weights, inverse_frequency_weights, inverse_log_weights),
        strict=True,
    )
)


def with_class_weights(
    model: Mapping[str, Any], dataset: SegDataset, max_bad: int = 0
) -> dict[str, Any]:
    """A model's config with numbers in the place of every `class_weight` of a name.

    The labels of the whole data set are read once, if there is such a name.

    Args:
        model: the config of a model.
        dataset: the training set.
        max_bad: how many labels may be unusable; they are not counted then.

    Raises:
        DataError: labels that cannot be used: the first ten, and how many in all.
    """
    tallies = functools.cache(lambda: count_classes(dataset, max_bad))

    @functools.cache
    def numbers(name):
        found = [round(value, 6) for value in _FORMULAS[name](tallies())]
        _log.info("class_weight %s of the training set: %s", name, found)
        return found

    return _replaced(model, numbers)


def count_classes(dataset: SegDataset, max_bad: int = 0) -> list[ClassTally]:
    """How often each class occurs in a data set's labels, however often repeated.

    Args and errors as of `with_class_weights`.
    """
    tallies = [ClassTally() for _ in dataset.metainfo["classes"]]
    samples = [(part, i) for part in dataset.parts() for i in range(len(part))]
    # Into a file, a line every half minute, and none where all takes less.
    pace = {} if sys.stderr.isatty() else {"delay": 30, "mininterval": 30}
    counts = in_threads(_counts, samples, os.cpu_count() or 1)
    faults = []
    for index, found in enumerate(
        tqdm(counts, "class weights", len(samples), leave=False, **pace)
    ):
        if isinstance(found, DataError):
            faults.append(str(found))
            continue
        pixels = found[: len(tallies)]
        for tally, number in zip(tallies, pixels, strict=True):
            if number:
                tally.add(index, int(number), int(pixels.sum()))
    if len(faults) > max_bad:
        raise DataError(
            f"class_weight of the training set: {len(faults)} of {len(samples)} labels "
            f"cannot be used:\n{some_of(faults)}"
        )
    return tallies


def _counts(sample: tuple[SegDataset, int]) -> np.ndarray | DataError:
    """Pixels of each class in a label, without those that are ignored."""
    dataset, index = sample
    load = first_of(dataset, LoadAnnotations) or LoadAnnotations()
    try:
        label = load.label_of(dataset[index])
    except DataError as error:
        return error
    ids = max(dataset.ignore_index + 1, len(dataset.metainfo["classes"]))
    counts = np.bincount(label.ravel(), minlength=ids)
    counts[dataset.ignore_index] = 0
    return counts


def _replaced(config: Any, numbers: Callable[[str], list[float]]) -> Any:
    if isinstance(config, Mapping):
        return {
            key: list(numbers(value))
            if key == "class_weight" and isinstance(value, str) and value in FROM_DATA
            else _replaced(value, numbers)
            for key, value in config.items()
        }
    if isinstance(config, (list, tuple)):
        return type(config)(_replaced(value, numbers) for value in config)
    return config

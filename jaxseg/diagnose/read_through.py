"""Read-through: every sample of a split, read in parallel."""

import collections
import itertools
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from typing import TypeVar

from tqdm import tqdm

from input_pipeline.sources import SegDataset
from jaxseg.diagnose.sample import SampleReader
from jaxseg.diagnose.tally import Tally

In = TypeVar("In")
Out = TypeVar("Out")


def read_through(
    dataset: SegDataset, named: bool, num_threads: int | None, title: str
) -> Tally:
    """Reads a data set once; what cannot be read is counted, and the rest goes on.

    Threads are enough: decoding, hashing and counting release Python's lock. A few
    decoded samples are in memory at a time, however large the data set.

    Args:
        dataset: to read.
        named: whether its classes are known.
        num_threads: that read; None takes one a core.
        title: the title of the progress bar, on standard error.
    """
    reader, tally = SampleReader(dataset, named), Tally()
    samples = in_threads(reader, range(len(dataset)), num_threads or os.cpu_count())
    # Into a file, a line every half minute, and none where all takes less.
    pace = {} if sys.stderr.isatty() else {"delay": 30, "mininterval": 30}
    for facts in tqdm(samples, title, len(dataset), leave=False, **pace):
        tally.add(facts)
    return tally


def in_threads(
    function: Callable[[In], Out], items: Iterable[In], num_threads: int
) -> Iterator[Out]:
    """Results in the order of the items, computed a few items ahead.

    `ThreadPoolExecutor.map` would take all items at once and keep their results.
    """
    items = iter(items)
    with futures.ThreadPoolExecutor(num_threads) as threads:
        started = collections.deque(
            threads.submit(function, item)
            for item in itertools.islice(items, 2 * num_threads)
        )
        try:
            while started:
                result = started.popleft().result()
                started.extend(
                    threads.submit(function, item)
                    for item in itertools.islice(items, 1)
                )
                yield result
        finally:
            for task in started:
                task.cancel()

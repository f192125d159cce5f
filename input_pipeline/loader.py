"""Loader: batches for training and samples for evaluation, through grain.

Which samples make batch `step`, and every random number of their augmentation, are a
pure function of (seed, step). So the state of the iterator is the step number, and
the number of threads, of worker processes and of hosts changes nothing but the speed.
"""

import functools
import logging
import multiprocessing
from collections.abc import Iterator, Sequence
from typing import Self

import grain
import numpy as np
from absl import flags

from input_pipeline.batch_order import BatchOrder
from input_pipeline.errors import DataError, WorkerError
from input_pipeline.sources import SegDataset
from input_pipeline.transforms.formatting import DEVICE_KEYS
from input_pipeline.transforms.resize import scaled_size
from input_pipeline.transforms.targets import TARGET_SCALE, fill_value, targets_of
from input_pipeline.workers import (
    SHARED_MEMORY,
    own_mark,
    remove_abandoned,
    start_worker,
)

# cv2 releases the GIL, so a few threads keep two cores busy; each prepares a batch (or
# a sample of the evaluation), and as many wait in the buffer.
NUM_THREADS = 4

# Key of a batch, on the way to the loader: the samples that were replaced, each as
# (which it is, what was wrong with it).
_FAULTS = "faults"
# Neighbours of a bad sample that are tried; more of them are no accident.
_MOST_REPLACED = 10

_log = logging.getLogger("jaxseg")


def train_batches(
    dataset: SegDataset,
    batch_size: int,
    seed: int,
    *,
    start_step: int = 0,
    by_epoch: bool = False,
    drop_last: bool = False,
    size: tuple[int, int] | None = None,
    num_workers: int = 0,
    num_threads: int = NUM_THREADS,
    process_index: int = 0,
    process_count: int = 1,
    max_bad_samples: int = 0,
) -> "Loader":
    """Endless batches, shuffled anew in every pass.

    Args:
        dataset: what to read; its samples go through its pipeline.
        batch_size: samples of a global batch, over all processes.
        seed: the seed of the order and the augmentation, from 0 to 2**32 - 1.
        start_step: number of the first batch; any is reached at once.
        by_epoch: whether each pass begins with a new batch; otherwise batches run on
            across its end.
        drop_last: whether, by epochs, the last samples of a pass are left out where
            they fill no batch; otherwise the first ones of the pass fill it up.
        size: (height, width) to which smaller samples are padded at the bottom and
            right; without it all samples of a batch must have one size.
        num_workers: processes that prepare batches; 0 uses threads of this one only. A
            worker takes seconds to start.
        num_threads: threads in each of them, or in this one; 0 prepares a batch when it
            is asked for.
        process_index: this host's place among `process_count`.
        process_count: hosts; each gets a contiguous block of the global batch.
        max_bad_samples: how many samples may fail on this host, however often each is
            met; a bad one is replaced by the next one of the data set that does not
            fail, and a warning says so once. 0: none.

    Returns:
        An iterator over dicts of img: (n, H, W, C) in the source's own type, usually
        uint8; padding is 0. gt_seg_map: (n, H, W) integers; padding is the data set's
        `ignore_index`. gt_*: (n, H, W), every other target that the pipeline leaves, in
        its own type; padding is as `targets.fill_value` says. img_shape: (n, 2) int32,
        height and width of each sample without padding. device_flip, device_distortion:
        (n, ...), if transforms have `on_device` set.
        with n = batch_size / process_count.

    Raises:
        DataError: fewer samples than a batch, or a batch that does not divide over the
            processes. While iterating: what a transform raises, a sample without a
            label, samples that do not fit into one batch, or more bad ones than are
            allowed.
    """
    if batch_size < 1 or batch_size % process_count:
        raise DataError(
            f"train_dataloader.batch_size={batch_size} is the size over all hosts: it "
            f"must be a positive multiple of the {process_count} processes."
        )
    if len(dataset) < batch_size:
        raise DataError(
            f"The training data set has {len(dataset)} samples, fewer than one batch "
            f"of {batch_size} (train_dataloader.batch_size). Make the batch smaller, "
            "or wrap the data set in a RepeatDataset."
        )
    read = _Replacing(dataset) if max_bad_samples else dataset.sample
    batches = _HostBatches(
        _order(dataset, seed).random_map(read),
        order=BatchOrder(len(dataset), batch_size, by_epoch, drop_last),
        host=process_index,
        hosts=process_count,
        start_step=start_step,
        size=size,
        ignore_index=dataset.ignore_index,
    )
    return _iterate(batches, num_workers, num_threads, max_bad_samples)


def indices_of_batch(
    dataset: SegDataset,
    batch_size: int,
    seed: int,
    step: int,
    by_epoch: bool = False,
    drop_last: bool = False,
) -> list[int]:
    """Which samples of the data set make global batch `step` of `train_batches`."""
    samples = _order(dataset, seed)
    order = BatchOrder(len(dataset), batch_size, by_epoch, drop_last)
    return [int(samples[order.place(step, i)]) for i in range(batch_size)]


def _order(dataset: SegDataset, seed: int) -> grain.MapDataset:
    return grain.MapDataset.range(len(dataset)).seed(seed).shuffle().repeat()


class _Replacing:
    """Reads a sample, or instead of one that fails the next one that does not.

    Which one that is depends on nothing but the files, so a resumed run, or one of
    another number of workers, trains on the same. The result says what went wrong
    under `_FAULTS`; only the loader, which sees every batch, can count.
    """

    def __init__(self, dataset: SegDataset):
        self._dataset = dataset

    def __call__(self, index: int, rng: np.random.Generator) -> dict:
        faults = []
        while True:
            try:
                sample = self._dataset.sample(index, rng)
            except Exception as error:  # whatever a transform raises
                # The note of SegDataset.sample: a RepeatDataset's samples that are one
                # and the same have one.
                where = " ".join(getattr(error, "__notes__", ()))
                faults.append((where or f"sample {index}", f"{error} ({where})"))
                if len(faults) == _MOST_REPLACED:
                    raise
                index = (index + 1) % len(self._dataset)
                continue
            return {**sample, _FAULTS: faults} if faults else sample


def eval_samples(
    dataset: SegDataset,
    *,
    num_workers: int = 0,
    num_threads: int = NUM_THREADS,
    process_index: int = 0,
    process_count: int = 1,
) -> "Loader":
    """Every sample once, in order, as its pipeline leaves it.

    Args:
        dataset: what to read.
        num_workers: processes that prepare samples; 0 uses threads of this one only.
        num_threads: threads in each of them, or in this one.
        process_index: this host's place among `process_count`.
        process_count: hosts; host p gets samples p, p + process_count, ... so that
            their numbers may differ by one.

    Returns:
        An iterator over the results dicts. Randomness in the pipeline is the same in
        every pass.
    """
    samples = grain.MapDataset.range(len(dataset)).random_map(dataset.sample, seed=0)
    mine = samples[process_index::process_count]
    return _iterate(mine, num_workers, num_threads)


class Loader(Iterator):
    """Batches or samples, and the threads and processes that prepare them.

    Use it in a `with` statement, or call `close()`: until then worker processes and
    their shared memory stay.
    """

    def __init__(self, iterator: grain.DatasetIterator, max_bad_samples: int = 0):
        self._iterator = iterator
        self._max_bad_samples = max_bad_samples
        self._bad = set()
        self._workers = set()

    def __next__(self) -> dict:
        if self._iterator is None:
            raise ValueError("This loader is closed; make a new one.")
        try:
            item = next(self._iterator)
        except RuntimeError as error:
            if "terminated unexpectedly" not in str(error):
                raise
            raise WorkerError(
                f"a worker process of the data ended: {_ends(self._workers) or error}. -9 is the "
                "code of a process killed from outside, often for want of memory: use "
                "fewer (num_workers) or a smaller buffer (num_threads)"
            ) from error
        # Asked while they live: what has ended is not among them.
        self._workers.update(multiprocessing.active_children())
        self._count(item.pop(_FAULTS, ()))
        return item

    def _count(self, faults: Sequence[tuple[str, str]]):
        for which, fault in faults:
            if which in self._bad:
                continue
            self._bad.add(which)
            count = len(self._bad)
            message = (
                f"bad sample {count} of the {self._max_bad_samples} that "
                f"train_dataloader.max_bad_samples allows: {fault}"
            )
            if count > self._max_bad_samples:
                raise DataError(message)
            _log.warning(
                "%s; another one takes its place whenever it is its turn", message
            )

    def close(self):
        """Ends the threads and processes; a second time does nothing."""
        if self._iterator is not None:
            self._iterator.close()
        # Kept until the interpreter ends, grain's iterator would fail in `__del__`.
        self._iterator = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception):
        self.close()


def _ends(workers) -> str:
    """The exit codes of the worker processes that have failed."""
    ended = [worker for worker in workers if worker.exitcode]
    ends = [f"exit code {worker.exitcode} (process {worker.pid})" for worker in ended]
    return ", ".join(ends)


class _HostBatches(grain.MapDataset):
    """Item i is this host's contiguous block of global batch `start_step + i`.

    grain's own slicing deals samples out in turn, which makes another global batch of
    them for another number of hosts; and its `batch` adds a note about sparse data
    sets to every error.
    """

    def __init__(
        self,
        samples: grain.MapDataset,
        *,
        order: BatchOrder,
        host: int,
        hosts: int,
        start_step: int,
        size: tuple[int, int] | None,
        ignore_index: int,
    ):
        super().__init__(samples)
        self._order = order
        size_of_all = order.batch_size
        self._block = range(
            host * size_of_all // hosts, (host + 1) * size_of_all // hosts
        )
        self._start_step = start_step
        self._size = size
        self._ignore_index = ignore_index

    def __len__(self) -> int:
        return len(self._parent) // self._order.batch_size - self._start_step

    def __getitem__(self, index):
        if isinstance(index, slice):  # how grain gives each worker its share
            return self.slice(index)
        step = self._start_step + index
        samples = [self._parent[self._order.place(step, i)] for i in self._block]
        batch = collate(samples, self._size, self._ignore_index)
        faults = [fault for sample in samples for fault in sample.get(_FAULTS, ())]
        return {**batch, _FAULTS: faults} if faults else batch


def collate(
    samples: Sequence[dict], size: tuple[int, int] | None, ignore_index: int
) -> dict[str, np.ndarray]:
    """Stacks samples into one batch, padded at the bottom and right to `size`.

    Args:
        samples: results with `img` (h, w, C), targets `gt_*` (h, w) and `img_path`.
        size: (H, W) of the batch; None takes the size that all samples share.
        ignore_index: the label of padding, of which integer targets are padded.

    Returns:
        The batch that `train_batches` describes.

    Raises:
        DataError: a sample without targets, a target of another size than its image,
            samples larger than `size`, or of different sizes, channels, types or
            targets.
    """
    for sample in samples:
        _check_sample(sample, size)
    first = samples[0]["img"]
    for sample in samples[1:]:
        img = sample["img"]
        if size is None and img.shape[:2] != first.shape[:2]:
            raise DataError(
                "The images of a batch have different sizes: "
                f"{_describe(samples[0])}, {_describe(sample)}. End the pipeline with "
                "a RandomCrop, Pad or Resize to one size, or set the size to pad to "
                "(model.data_preprocessor.size)."
            )
        if (img.shape[2], img.dtype) != (first.shape[2], first.dtype):
            raise DataError(
                "The images of a batch have different channels or types: "
                f"{_describe(samples[0])}, {_describe(sample)}."
            )
        scales = [one.get(TARGET_SCALE, 1) for one in (samples[0], sample)]
        if scales[0] != scales[1]:
            raise DataError(
                f"The targets of a batch are {scales[0]} times as large as their image "
                f"in {samples[0]['img_path']}, {scales[1]} times in "
                f"{sample['img_path']}: SegRescale must be the same for all."
            )
    size = size or first.shape[:2]
    batch = {
        "img": _stack([sample["img"] for sample in samples], size, 0),
        "img_shape": np.array([s["img"].shape[:2] for s in samples], np.int32),
    }
    target_size = _target_size(samples[0], size)
    for key in _target_keys(samples):
        targets = [sample[key] for sample in samples]
        fill = fill_value(targets[0], ignore_index)
        batch[key] = _stack(targets, target_size, fill)
    for key in DEVICE_KEYS:
        if key in samples[0]:
            batch[key] = np.stack([sample[key] for sample in samples])
    return batch


def _stack(
    arrays: Sequence[np.ndarray], size: tuple[int, int], fill: float
) -> np.ndarray:
    """(n, H, W, ...) of arrays (h, w, ...), padded at the bottom and right."""
    if all(array.shape[:2] == tuple(size) for array in arrays):
        return np.stack(arrays)  # each pixel is written once
    shape = (len(arrays), *size, *arrays[0].shape[2:])
    stacked = np.full(shape, fill, np.result_type(*arrays))
    for place, array in zip(stacked, arrays, strict=True):
        place[: array.shape[0], : array.shape[1]] = array
    return stacked


def _target_keys(samples: Sequence[dict]) -> list[str]:
    """The keys of the targets, which must be the same of all samples."""
    first = list(targets_of(samples[0]))
    for sample in samples[1:]:
        if set(targets_of(sample)) != set(first):
            raise DataError(
                "The samples of a batch have different targets: "
                f"{samples[0]['img_path']} has {', '.join(first)}, "
                f"{sample['img_path']} has {', '.join(targets_of(sample))}."
            )
    return first


def _target_size(sample: dict, size: tuple[int, int]) -> tuple[int, int]:
    """(h, w) of the targets of a sample, or of a batch of such, whose image is `size`."""
    width, height = scaled_size(size[::-1], sample.get(TARGET_SCALE, 1))
    return height, width


def _check_sample(sample: dict, size: tuple[int, int] | None):
    """Raises DataError unless the sample has targets that fit, within `size`."""
    targets = targets_of(sample)
    if not targets:
        raise DataError(
            f"{sample['img_path']} has no label: training needs "
            "data_prefix.seg_map_path, and LoadAnnotations in the pipeline."
        )
    img, scale = sample["img"], sample.get(TARGET_SCALE, 1)
    due = _target_size(sample, img.shape[:2])
    for key, target in targets.items():
        if target.shape[:2] != due:
            name = "label" if key == "gt_seg_map" else key
            expected = "they must be equal"
            if scale != 1:
                expected = (
                    f"SegRescale makes {due} of it; put it behind the others that "
                    "change the size"
                )
            raise DataError(
                f"{sample['img_path']}: after the pipeline the image has (height, "
                f"width) {img.shape[:2]}, but its {name} {target.shape}; {expected}."
            )
    if scale != 1 and any(key in sample for key in DEVICE_KEYS):
        raise DataError(
            f"{sample['img_path']}: SegRescale gives its targets another size, and "
            "train_dataloader.augment_on_device moves them with their image; leave one "
            "of the two out."
        )
    if size is not None and (img.shape[0] > size[0] or img.shape[1] > size[1]):
        raise DataError(
            f"{_describe(sample)} is larger than the size {tuple(size)} (height, "
            "width) of a batch: end the pipeline with a RandomCrop or Resize to it."
        )


def _describe(sample: dict) -> str:
    img = sample["img"]
    return f"{sample['img_path']} {img.shape} {img.dtype}"


def _iterate(
    items: grain.MapDataset,
    num_workers: int,
    num_threads: int,
    max_bad_samples: int = 0,
) -> Loader:
    options = grain.ReadOptions(
        num_threads=num_threads, prefetch_buffer_size=num_threads
    )
    dataset = items.to_iter_dataset(options)
    removed = remove_abandoned()
    if removed:
        _log.info(
            "%s: removed %d files of a run that was killed", SHARED_MEMORY, len(removed)
        )
    if num_workers:
        if not flags.FLAGS.is_parsed():
            # In a notebook nobody parsed absl's flags, which grain reads before it
            # starts a worker (UnparsedFlagAccessError).
            flags.FLAGS.mark_as_parsed()
        dataset = dataset.mp_prefetch(
            grain.MultiprocessingOptions(num_workers=num_workers),
            worker_init_fn=functools.partial(start_worker, own_mark()),
        )
    return Loader(iter(dataset), max_bad_samples)

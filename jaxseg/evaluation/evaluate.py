"""Evaluator: scores of a model on a data set, by mmseg's definition."""

import collections
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from input_pipeline.loader import Loader, eval_samples
from input_pipeline.sources import SegDataset
from jaxseg.config import ConfigError
from jaxseg.errors import ModelSizeError
from jaxseg.evaluation.checks import check_size, check_test_pipeline
from jaxseg.evaluation.gather import sum_over_hosts
from jaxseg.evaluation.images import ImageCounts
from jaxseg.evaluation.sizes import expected_sizes
from jaxseg.inference.buckets.plan import Bucket
from jaxseg.inference.loaded import check_channels
from jaxseg.inference.predictor import Predictor
from jaxseg.metrics.metric import Counts, Metric, Scores, join_counts
from jaxseg.ops.confusion import read_total
from jaxseg.settings.loaders import DataLoader
from jaxseg.settings.read import Settings
from jaxseg.settings.tta import TestTimeAug

# Samples that wait for others of their bucket, at most: a data set of many sizes would
# otherwise be kept in memory whole.
_MOST_WAITING = 64


# Gets a sample, its label map (H, W) at the original size and, of a run that keeps
# them, its probabilities (H, W, out_channels), else None.
Sink = Callable[[Mapping[str, Any], np.ndarray, np.ndarray | None], None]


class Evaluator:
    """Evaluates one data set, again and again with the same compiled programs."""

    def __init__(self, predictor: Predictor, settings: Settings, split: str = "val"):
        """Prepares an evaluation, without loading or compiling anything.

        Args:
            predictor: the predictor of the model.
            settings: with the loader of the split, whose data set has labels, and whose
                pipeline ends at the test scale with labels of the original size.
                With `tta` it leaves the image at its own size.
            split: 'val' or 'test': which loader and metrics of the settings.

        Raises:
            ConfigError: if the settings have no such loader, or a metric ignores
                another label than the data set.
        """
        self._path = f"{split}_dataloader"
        loader: DataLoader | None = getattr(settings, self._path)
        if loader is None:
            raise ConfigError(f"{self._path} is missing: an evaluation needs it")
        self.predictor = predictor
        self.dataset = loader.dataset
        self.metrics: tuple[Metric, ...] = getattr(settings, f"{split}_evaluator")
        self._loader = loader
        self._ignore_index = self.dataset.ignore_index
        for metric in self.metrics:
            if metric.ignore_index not in (None, self._ignore_index):
                raise ConfigError(
                    f"{split}_evaluator.ignore_index is {metric.ignore_index}, that of "
                    f"the data set {self._ignore_index}"
                )
        self._tta: TestTimeAug | None = settings.tta
        self._together = images_together(loader.batch_size, predictor.devices)
        self._num_classes = len(self.dataset.metainfo["classes"])
        self._is_planned = False
        check_test_pipeline(self.dataset, f"{self._path}.dataset")

    @property
    def classes(self) -> Sequence[str]:
        """The names of the data set's classes."""
        return self.dataset.metainfo["classes"]

    def __call__(
        self, variables: Any, progress: Callable[[int], None] = lambda done: None
    ) -> Scores:
        """Scores the model over all images; arguments and errors as of `count`."""
        return self.scores(self.count(variables, progress))

    def scores(self, counts: Sequence[Counts]) -> Scores:
        """The scores of all metrics, of what `count` counted.

        The summary of a ConcatDataset with `separate_eval` has the scores of each of
        its data sets, too, as mmseg 0.x names them: `0_mIoU`, `1_mIoU`.
        """
        scores = self._scores(counts)
        for place, part in enumerate(zip(*(count.parts for count in counts))):
            one = self._scores(part).summary
            scores.summary.update({f"{place}_{k}": v for k, v in one.items()})
        return scores

    def _scores(self, counts):
        found = [
            metric.compute(count, self.classes)
            for metric, count in zip(self.metrics, counts, strict=True)
        ]
        return Scores(
            {k: v for one in found for k, v in one.summary.items()},
            {k: v for one in found for k, v in one.per_class.items()},
        )

    def count(
        self,
        variables: Any,
        progress: Callable[[int], None] = lambda done: None,
        sinks: Sequence[Sink] = (),
    ) -> list[Counts]:
        """Counts what the metrics count over all images of all hosts, each once.

        Args:
            variables: params and batch_stats.
            progress: called with the number of images of this host that are done.
            sinks: get each image's label map.

        Returns:
            What each of `metrics` has counted.

        Raises:
            ConfigError: if a sample has no label or one that was resized, channels or a
                size that the model does not take, or, with tta, not its own size.
        """
        variables = self.predictor.put_variables(variables)
        if not self._is_planned:
            sizes = expected_sizes(self.dataset, self._tta)
            self.predictor.plan(variables, sizes)
            self._is_planned = True
        if not getattr(self.dataset, "separate_eval", False):
            return self._count(self.dataset, variables, progress, sinks)
        found, done = [], 0
        for part in self.dataset.datasets:
            tell = lambda more, done=done: progress(done + more)
            found.append(self._count(part, variables, tell, sinks))
            done += len(range(jax.process_index(), len(part), jax.process_count()))
        return [join_counts(parts) for parts in zip(*found)]

    def _count(self, dataset, variables, progress, sinks):
        empty = {metric: metric.empty(self._num_classes) for metric in self.metrics}
        on_device = [metric for metric, total in empty.items() if total is not None]
        # Where the sums will be: otherwise the first one is a program of its own.
        totals = tuple(self.predictor.put_variables(empty[m]) for m in on_device)
        images, done = ImageCounts(self.metrics, self._num_classes), 0
        keeps = bool(sinks) or images.are_wanted
        with self.samples(dataset) as samples:
            numbered = _numbered(samples)
            for bucket, batch in _by_bucket(numbered, self._together, self._bucket_of):
                totals, maps = self._add(
                    totals, variables, batch, bucket, metrics=on_device, keeps=keeps
                )
                for sample, pred in zip(batch, _own_parts(maps, batch)):
                    images.add(sample, pred)
                    for sink in sinks:
                        sink(sample, pred, None)
                done += len(batch)
                progress(done)
        sums = dict(zip(on_device, totals, strict=True))
        sums = {m: sum_over_hosts(read_total(total)) for m, total in sums.items()}
        return images.of_all_hosts(sums)

    def samples(self, dataset: SegDataset | None = None) -> Loader:
        """The samples of this host, to be used in a `with` statement.

        Args:
            dataset: a part of the data set; None takes all of it.
        """
        return eval_samples(
            self.dataset if dataset is None else dataset,
            num_workers=self._loader.num_workers,
            num_threads=self._loader.num_threads,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
        )

    def _bucket_of(self, sample):
        self.check(sample)
        size = sample["img"].shape[:2]
        sizes = (size,) if self._tta is None else self._tta.scaled_sizes(size)
        return self.predictor.bucket_of((*sizes, sample["gt_seg_map"].shape))

    def _add(self, totals, variables, samples, bucket, **count):
        """Counts samples of one bucket into the totals.

        The batch is filled up, so that one program serves for all batches.
        """
        is_sample = np.arange(self._together) < len(samples)
        samples = samples + [samples[-1]] * (len(is_sample) - len(samples))
        images = [[sample["img"] for sample in samples]]
        if self._tta is not None:
            scaled = [self._tta.scaled(image) for image in images[0]]
            images = list(zip(*scaled, strict=True))
        try:
            return self.predictor.add_counts(
                totals,
                variables,
                images,
                [sample["gt_seg_map"] for sample in samples],
                bucket,
                is_sample=is_sample,
                ignore_index=self._ignore_index,
                directions=None if self._tta is None else self._tta.directions,
                **count,
            )
        except ConfigError as error:
            raise ConfigError(f"{samples[0]['img_path']}: {error}") from error

    def check(self, sample: Mapping[str, Any]) -> None:
        """Refuses a sample that cannot be evaluated.

        Raises:
            ConfigError: naming the file and what it lacks.
        """
        if "gt_seg_map" not in sample:
            raise ConfigError(
                f"{sample['img_path']} has no label: an evaluation needs "
                "data_prefix.seg_map_path, and LoadAnnotations in the pipeline"
            )
        check_channels(sample, self.predictor.model)
        size, own = sample["img"].shape[:2], sample["gt_seg_map"].shape
        if self._tta is not None and size != own:
            raise ConfigError(
                f"{sample['img_path']} is {own[0]}x{own[1]}, and {size[0]}x{size[1]} "
                "after the pipeline; `tta` scales the image as it is: take what "
                f"changes its size out of {self._path}.dataset.pipeline"
            )
        before = sample.get("ori_shape", own)[:2]
        if own != before:
            raise ConfigError(
                f"{sample['img_path']} is {before[0]}x{before[1]}, and its label "
                f"{own[0]}x{own[1]} after the pipeline, but scores are those of the "
                "original size: LoadAnnotations stands behind what changes a size in "
                f"{self._path}.dataset.pipeline"
            )
        try:
            check_size(self.predictor.model, size, self._tta)
        except ModelSizeError as error:
            raise ConfigError(f"{sample['img_path']}: {error}") from error


def images_together(batch_size: int, devices: Sequence[jax.Device]) -> int:
    """How many images of one size are predicted at once.

    A CPU gains nothing from more than one image on a device; so each runs alone, and
    the scores are the same to the bit for any batch_size and number of devices.

    Args:
        batch_size: what val_dataloader asks for.
        devices: over which the images are split.

    Returns:
        A multiple of the number of devices.
    """
    cpu = devices[0].platform == "cpu"
    return len(devices) * (1 if cpu else -(-batch_size // len(devices)))


def _by_bucket(
    samples: Iterator[dict], batch_size: int, bucket_of: Callable[[dict], Bucket]
) -> Iterator[tuple[Bucket, list[dict]]]:
    """Groups samples of one bucket; some groups are smaller than a batch."""
    waiting = collections.defaultdict(list)
    for sample in samples:
        bucket = bucket_of(sample)
        waiting[bucket].append(sample)
        if len(waiting[bucket]) == batch_size:
            yield bucket, waiting.pop(bucket)
        elif sum(map(len, waiting.values())) > _MOST_WAITING:
            fullest = max(waiting, key=lambda bucket: len(waiting[bucket]))
            yield fullest, waiting.pop(fullest)
    yield from waiting.items()


def _numbered(samples: Iterator[dict]) -> Iterator[dict]:
    """The samples of this host with their `number` in the data set."""
    first, step = jax.process_index(), jax.process_count()
    for place, sample in enumerate(samples):
        yield sample | {"number": first + place * step}


def _own_parts(maps, samples):
    """The label map of each sample, cut out of its bucket; () where none is kept."""
    if maps is None:
        return
    for one, sample in zip(np.asarray(maps), samples, strict=False):
        height, width = sample["gt_seg_map"].shape
        yield one[:height, :width]

"""Runner: a model over a whole data set, in groups of one bucket."""

import collections
import contextlib
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from input_pipeline.loader import Loader, eval_samples
from input_pipeline.scan import ScanReport, scan
from input_pipeline.sources import SegDataset
from input_pipeline.transforms.targets import targets_of
from jaxseg.config import ConfigError
from jaxseg.errors import ModelSizeError
from jaxseg.evaluation.checks import check_size, check_test_pipeline
from jaxseg.evaluation.sizes import expected_sizes
from jaxseg.inference.buckets.plan import Bucket, Size
from jaxseg.inference.loaded import check_channels, check_predicts_classes
from jaxseg.inference.predictor import Predictor, images_together
from jaxseg.settings.loaders import DataLoader
from jaxseg.settings.read import Settings
from jaxseg.settings.tta import TestTimeAug

# Samples that wait for others of their bucket, at most: a data set of many sizes would
# otherwise be kept in memory whole.
_MOST_WAITING = 64

# A sample, its label map (H, W) at the original size and, of a run that keeps them, its
# probabilities (H, W, out_channels), else None; and what gets them.
Result = tuple[Mapping[str, Any], np.ndarray, np.ndarray | None]
Sink = Callable[[Mapping[str, Any], np.ndarray, np.ndarray | None], None]


def no_progress(done: int) -> None:
    """What is called with the number of images that are done, where nobody asks."""


class Runner:
    """Predicts one data set, again and again with the same compiled programs.

    Attributes:
        predictor: the predictor of the model.
        dataset: the data set with its pipeline.
    """

    def __init__(
        self,
        predictor: Predictor,
        settings: Settings,
        split: str,
        scanned: ScanReport | None = None,
    ):
        """Prepares, without loading or compiling anything.

        Args:
            predictor: the predictor of the model.
            settings: with the loader of the split, whose pipeline ends at the test
                scale; with `tta` it leaves the image at its own size.
            split: 'val' or 'test'.
            scanned: what `scan` found in its data set; None reads the headers of its
                files when they are asked for.

        Raises:
            ConfigError: if the settings have no such loader.
        """
        self._path = f"{split}_dataloader"
        loader: DataLoader | None = getattr(settings, self._path)
        if loader is None:
            instead = "; --mode eval takes those of val_dataloader"
            hint = instead if split == "test" else ""
            raise ConfigError(f"{self._path} is missing: it says which images{hint}")
        self.predictor = predictor
        self.dataset = loader.dataset
        self._loader = loader
        self._tta: TestTimeAug | None = settings.tta
        self._together = images_together(loader.batch_size, predictor.devices)
        self._is_planned = False
        self._scanned = scanned
        if self._tta is not None:
            check_predicts_classes(predictor.model, "tta averages probabilities")
        check_test_pipeline(self.dataset, f"{self._path}.dataset")

    @property
    def classes(self) -> Sequence[str]:
        """The names of the data set's classes."""
        return self.dataset.metainfo["classes"]

    @property
    def scanned(self) -> ScanReport:
        """What the headers of the data set's files say; they are read once.

        Raises:
            DataError: as `scan`.
        """
        if self._scanned is None:
            self._scanned = scan(self.dataset)
        return self._scanned

    def predict(
        self,
        variables: Any,
        sinks: Sequence[Sink],
        progress: Callable[[int], None] = no_progress,
        probabilities: bool = False,
    ) -> None:
        """Predicts all images of this host; labels are neither needed nor looked at.

        Args:
            variables: params and batch_stats.
            sinks: get each image's label map.
            progress: called with the number of images that are done.
            probabilities: whether they get its probabilities, too.

        Raises:
            ConfigError: if a sample has channels or a size that the model does not take,
                or, with tta, not its own size.
        """
        if probabilities:
            check_predicts_classes(self.predictor.model, "probabilities are wanted")
        variables = self.prepare(variables)
        run = functools.partial(self.predicted, variables, probabilities=probabilities)
        self.each_batch(self.dataset, run, sinks, progress)

    def each_batch(
        self,
        dataset: SegDataset,
        run: Callable[[list[dict], Bucket], Iterable[Result]],
        sinks: Sequence[Sink],
        progress: Callable[[int], None],
    ) -> None:
        """Runs a function on every group of samples, and hands on what it gives.

        Args:
            dataset: the data set, or a part of it.
            run: takes samples of a bucket to the result of each, or to none.
            sinks: get each result.
            progress: called with the number of images that are done.
        """
        done = 0
        with contextlib.closing(self.batches(dataset)) as batches:
            for bucket, samples in batches:
                for result in run(samples, bucket):
                    for sink in sinks:
                        sink(*result)
                done += len(samples)
                progress(done)

    def predicted(
        self,
        variables: Any,
        samples: Sequence[dict],
        bucket: Bucket,
        probabilities: bool = False,
    ) -> Iterator[Result]:
        """The results of samples of one bucket, whose labels are not looked at.

        Args:
            variables: from `prepare`.
            samples, bucket: from `batches`.
            probabilities: whether they are wanted, too.
        """
        with self.naming(samples):
            maps, means = self.predictor.predict_bucket(
                variables,
                self.versions(samples),
                [size_of(sample) for sample in self.filled(samples)],
                bucket,
                self.directions,
                probabilities,
            )
        return results_of(samples, maps, means)

    def prepare(self, variables: Any) -> Any:
        """Chooses the buckets, once, and puts the variables where the model runs."""
        variables = self.predictor.put_variables(variables)
        if not self._is_planned:
            sizes = expected_sizes(self.dataset, self._tta, self.scanned.size_of)
            self.predictor.plan(variables, sizes)
            self._is_planned = True
        return variables

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

    def batches(self, dataset: SegDataset) -> Iterator[tuple[Bucket, list[dict]]]:
        """Groups of samples of one bucket, not more than run together.

        Close the generator where it is not used up: it holds the loader's processes.

        Args:
            dataset: the data set, or a part of it. Each sample says its `number` in it,
                its `ignore_index` and, where there are files, its `seg_map_path`.
        """
        with self.samples(dataset) as samples:
            yield from by_bucket(
                _with_facts(samples, dataset), self._together, self._bucket_of
            )

    def _bucket_of(self, sample):
        self.check(sample)
        size = sample["img"].shape[:2]
        sizes = (size,) if self._tta is None else self._tta.scaled_sizes(size)
        return self.predictor.bucket_of((*sizes, size_of(sample)))

    def filled(self, items: Sequence[Any]) -> list[Any]:
        """One item a sample, and copies of the last: one program serves for all."""
        missing = self._together - len(items)
        return [*items, *[items[-1]] * missing]

    def versions(self, samples: Sequence[dict]) -> list[Sequence[np.ndarray]]:
        """At each scale the images of the samples, filled up."""
        images = [sample["img"] for sample in samples]
        scaled = [images]
        if self._tta is not None:
            scaled = zip(*map(self._tta.scaled, images), strict=True)
        return list(map(self.filled, scaled))

    @property
    def directions(self) -> Sequence[str] | None:
        """The flips of `tta`, or None without it."""
        return None if self._tta is None else self._tta.directions

    @contextlib.contextmanager
    def naming(self, samples: Sequence[Mapping[str, Any]]) -> Iterator[None]:
        """Adds to a ConfigError which image it is of."""
        try:
            yield
        except ConfigError as error:
            raise ConfigError(f"{samples[0]['img_path']}: {error}") from error

    def check(self, sample: Mapping[str, Any]) -> None:
        """Refuses a sample that the model cannot predict.

        Raises:
            ConfigError: naming the file and what it lacks.
        """
        check_channels(sample, self.predictor.model)
        size, own = sample["img"].shape[:2], size_of(sample)
        if self._tta is not None and size != own:
            raise ConfigError(
                f"{sample['img_path']} is {own[0]}x{own[1]}, and {size[0]}x{size[1]} "
                "after the pipeline; `tta` scales the image as it is: take what "
                f"changes its size out of {self._path}.dataset.pipeline"
            )
        try:
            check_size(self.predictor.model, size, self._tta)
        except ModelSizeError as error:
            raise ConfigError(f"{sample['img_path']}: {error}") from error


def size_of(sample: Mapping[str, Any]) -> Size:
    """(height, width) of a sample's result: of its label, or of its image's file."""
    for target in targets_of(sample).values():
        return target.shape[:2]
    if "ori_shape" not in sample:
        raise ConfigError(
            f"{sample['img_path']} does not say its own size: PackSegInputs.meta_keys "
            "must have 'ori_shape'"
        )
    return tuple(sample["ori_shape"][:2])


def results_of(
    samples: Sequence[dict], maps: Any, probabilities: Any = None
) -> Iterator[Result]:
    """The results of samples, on the host.

    Args:
        samples: as many as there are, or fewer.
        maps: (N, H, W), of which a sample's own part is at the top left.
        probabilities: (N, H, W, C) likewise, or None.
    """
    maps = np.asarray(maps)
    means = itertools.repeat(None)
    if probabilities is not None:
        means = np.asarray(probabilities)
    for sample, pred, mean in zip(samples, maps, means, strict=False):
        height, width = size_of(sample)
        own = np.s_[:height, :width]
        yield sample, pred[own], None if mean is None else mean[own]


def _with_facts(samples: Iterator[dict], dataset: SegDataset) -> Iterator[dict]:
    """The samples of this host, with what their pipeline may have dropped."""
    first, step = jax.process_index(), jax.process_count()
    are_files = bool(dataset.files())
    for place, sample in enumerate(samples):
        number = first + place * step
        facts = {"number": number, "ignore_index": dataset.ignore_index}
        if are_files and "seg_map_path" in (record := dataset[number]):
            facts["seg_map_path"] = record["seg_map_path"]
        yield sample | facts


def by_bucket(
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

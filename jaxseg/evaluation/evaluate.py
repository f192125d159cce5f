"""Evaluator: scores of a model on a data set, by mmseg's definition."""

import collections
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from input_pipeline.loader import Loader, eval_samples
from input_pipeline.scan import scan
from jaxseg.config import ConfigError, plain
from jaxseg.errors import ModelSizeError
from jaxseg.evaluation.checks import check_size, check_test_pipeline
from jaxseg.evaluation.iou import Scores, format_table, segmentation_metrics
from jaxseg.evaluation.sizes import expected_sizes
from jaxseg.inference.buckets.plan import Bucket
from jaxseg.inference.loaded import check_channels, load_model
from jaxseg.inference.predictor import Predictor
from jaxseg.ops.confusion import empty_total, read_total
from jaxseg.runtime.agreement import check_agreement, program_facts
from jaxseg.runtime.progress import Progress
from jaxseg.runtime.workdir import WorkdirError
from jaxseg.settings.loaders import DataLoader
from jaxseg.settings.read import Settings, read_settings
from jaxseg.settings.tta import TestTimeAug

_log = logging.getLogger("jaxseg")


# Samples that wait for others of their bucket, at most: a data set of many sizes would
# otherwise be kept in memory whole.
_MOST_WAITING = 64


class Evaluator:
    """Evaluates one data set, again and again with the same compiled programs."""

    def __init__(self, predictor: Predictor, settings: Settings):
        """Prepares an evaluation, without loading or compiling anything.

        Args:
            predictor: the predictor of the model.
            settings: with `val_dataloader`, whose data set has labels, and whose
                pipeline ends at the test scale with labels of the original size.
                With `tta` it leaves the image at its own size.

        Raises:
            ConfigError: if there is no val_dataloader.
        """
        if settings.val_dataloader is None:
            raise ConfigError("val_dataloader is missing: an evaluation needs it")
        self.predictor = predictor
        self.dataset = settings.val_dataloader.dataset
        self._loader: DataLoader = settings.val_dataloader
        self._metric = settings.val_evaluator
        self._ignore_index = self.dataset.ignore_index
        if self._metric.ignore_index not in (None, self._ignore_index):
            raise ConfigError(
                f"val_evaluator.ignore_index is {self._metric.ignore_index}, that of "
                f"the data set {self._ignore_index}"
            )
        self._tta: TestTimeAug | None = settings.tta
        self._together = images_together(self._loader.batch_size, predictor.devices)
        self._num_classes = len(self.dataset.metainfo["classes"])
        self._is_planned = False
        check_test_pipeline(self.dataset, "val_dataloader.dataset")

    def __call__(
        self, variables: Any, progress: Callable[[int], None] = lambda done: None
    ) -> Scores:
        """Scores the model over all images; arguments and errors as of `confusion`."""
        return segmentation_metrics(
            self.confusion(variables, progress),
            self._metric.iou_metrics,
            self._metric.nan_to_num,
            self._metric.beta,
        )

    def confusion(
        self, variables: Any, progress: Callable[[int], None] = lambda done: None
    ) -> np.ndarray:
        """Counts the pixels of all images of all hosts, each counted once.

        Args:
            variables: params and batch_stats.
            progress: called with the number of images of this host that are done.

        Returns:
            As `metrics.confusion.read_total`.

        Raises:
            ConfigError: if a sample has no label or one that was resized, channels or a
                size that the model does not take, or, with tta, not its own size.
        """
        variables = self.predictor.put_variables(variables)
        if not self._is_planned:
            sizes = expected_sizes(self.dataset, self._tta)
            self.predictor.plan(variables, sizes)
            self._is_planned = True
        # Where the sums will be: otherwise the first one is a program of its own.
        total = self.predictor.put_variables(empty_total(self._num_classes))
        done = 0
        with self.samples() as samples:
            for bucket, batch in _by_bucket(samples, self._together, self._bucket_of):
                total = self._add(total, variables, batch, bucket)
                done += len(batch)
                progress(done)
        confusion = read_total(total)
        if jax.process_count() > 1:
            confusion = _sum_over_hosts(confusion)
        return confusion

    def samples(self) -> Loader:
        """The samples of this host, to be used in a `with` statement."""
        return eval_samples(
            self.dataset,
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

    def _add(self, total, variables, samples, bucket):
        """Counts samples of one bucket into the total.

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
                total,
                variables,
                images,
                [sample["gt_seg_map"] for sample in samples],
                bucket,
                is_sample=is_sample,
                ignore_index=self._ignore_index,
                directions=None if self._tta is None else self._tta.directions,
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
                "changes its size out of val_dataloader.dataset.pipeline"
            )
        before = sample.get("ori_shape", own)[:2]
        if own != before:
            raise ConfigError(
                f"{sample['img_path']} is {before[0]}x{before[1]}, and its label "
                f"{own[0]}x{own[1]} after the pipeline, but scores are those of the "
                "original size: LoadAnnotations stands behind what changes a size in "
                "val_dataloader.dataset.pipeline"
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


def _sum_over_hosts(confusion: np.ndarray) -> np.ndarray:
    """Exactly, although what JAX sends has 32 bits."""
    halves = np.stack([confusion & 0xFFFFFFFF, confusion >> 32]).astype(np.uint32)
    gathered = multihost_utils.process_allgather(halves).astype(np.int64)
    return (gathered[:, 0] + (gathered[:, 1] << 32)).sum(0)


def check_classes(model: Any, dataset: Any, path: str) -> None:
    """Refuses a model whose heads have another number of classes than the data set.

    Args:
        model: the segmentor.
        dataset: with `metainfo`.
        path: where the data set stands in the config.

    Raises:
        ConfigError: naming both places and both numbers; or if there is one class
            alone.
    """
    classes: Sequence[str] = dataset.metainfo["classes"]
    if len(classes) == 1:
        raise ConfigError(
            f"{path} has one class alone, {classes[0]!r}: every pixel that counts is of "
            "it, and a model has nothing to learn. Give the rest a class too: "
            f"metainfo.classes=['background', {classes[0]!r}], with a label_map"
        )
    for name, head in model.heads.items():
        if head.num_classes != len(classes) and not head.has_own_classes:
            raise ConfigError(
                f"model.{name}.num_classes is {head.num_classes}, but {path} has "
                f"{len(classes)} classes: {', '.join(classes[:5])}"
                f"{', ...' if len(classes) > 5 else ''}"
            )


def check_ignored(model: Any, dataset: Any, path: str) -> None:
    """Refuses a model that trains on labels which its data set ignores.

    Args:
        model: the segmentor.
        dataset: the data set of the training.
        path: where the data set stands in the config.

    Raises:
        ConfigError: naming both places and both numbers.
    """
    padding = model.data_preprocessor.seg_pad_val
    if padding != dataset.ignore_index:
        raise ConfigError(
            f"model.data_preprocessor.seg_pad_val is {padding}, the ignore_index of "
            f"{path} is {dataset.ignore_index}; padded pixels must be ignored"
        )
    for name, head in model.heads.items():
        if head.ignore_index != dataset.ignore_index:
            raise ConfigError(
                f"model.{name}.ignore_index is {head.ignore_index}, that of {path} is "
                f"{dataset.ignore_index}"
            )


def report(scores: Scores, classes: Sequence[str], path: Path) -> None:
    """Prints the table of the classes and the scores, the first of them last.

    Args:
        scores: the scores of an evaluation.
        classes: names of the classes.
        path: JSON file that gets the same numbers; NaN is null.

    Raises:
        WorkdirError: if the file cannot be written; the scores are printed before.
    """
    per_class = {
        name: dict(zip(classes, map(_or_none, values), strict=True))
        for name, values in scores.per_class.items()
    }
    summary = {name: _or_none(value) for name, value in scores.summary.items()}
    text = json.dumps({"summary": summary, "per_class": per_class}, indent=2)
    print(format_table(scores.per_class, classes))
    first = next(name for name in scores.summary if name != "aAcc")
    rest = [name for name in scores.summary if name != first]
    print("  ".join(f"{name} {scores.summary[name]:.2f}" for name in rest))
    print(f"val {first} {scores.summary[first]:.2f}", flush=True)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    except OSError as error:
        raise WorkdirError(f"{path}: the scores cannot be written: {error}") from error


def _or_none(value):
    return None if np.isnan(value) else float(value)


def evaluate_checkpoint(
    config: Mapping[str, Any] | None, checkpoint: str | Path, path: Path
) -> Scores:
    """Scores a checkpoint on val_dataloader, and reports.

    Args:
        config: a whole config; None takes the one saved in the checkpoint. Its
            train_dataloader is not looked at, so that data need not be there.
        checkpoint: as in `load.read_checkpoint`.
        path: JSON file for the scores.
    """
    model = load_model(config, checkpoint)
    parts = {k: v for k, v in model.config.items() if k != "train_dataloader"}
    settings = read_settings(parts)
    predictor = Predictor(model.segmentor, xla_flags=settings.xla_flags)
    evaluator = Evaluator(predictor, settings)
    check_classes(model.segmentor, evaluator.dataset, "val_dataloader.dataset")
    _log.info("val: %d samples; %s", len(evaluator.dataset), scan(evaluator.dataset))
    check_agreement(
        program_facts()
        | {
            "config": plain(parts),
            "validation samples": len(evaluator.dataset),
            "classes": list(evaluator.dataset.metainfo["classes"]),
        }
    )
    with Progress(len(evaluator.dataset), name="eval") as progress:
        scores = evaluator(model.variables, progress.update)
    _log.info(evaluator.predictor.count_of_compilations())
    if jax.process_index() == 0:
        report(scores, evaluator.dataset.metainfo["classes"], path)
    return scores

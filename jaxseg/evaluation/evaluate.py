"""Evaluator: scores of a model on a data set, by mmseg's definition."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from input_pipeline.scan import ScanReport
from jaxseg.config import ConfigError
from jaxseg.evaluation.gather import sum_over_hosts
from jaxseg.evaluation.images import ImageCounts
from jaxseg.evaluation.runner import Runner, Sink, no_progress, results_of, size_of
from jaxseg.inference.predictor import Predictor
from jaxseg.metrics.metric import Counts, Metric, Scores, join_counts
from jaxseg.ops.confusion import read_total
from jaxseg.settings.read import Settings


class Evaluator(Runner):
    """Scores one data set, again and again with the same compiled programs.

    Attributes:
        metrics: what is counted.
    """

    def __init__(
        self,
        predictor: Predictor,
        settings: Settings,
        split: str = "val",
        scanned: ScanReport | None = None,
    ):
        """Prepares an evaluation, without loading or compiling anything.

        Args:
            predictor: the predictor of the model.
            settings: as of `Runner`; the data set has labels, and its pipeline leaves
                them at the original size.
            split: 'val' or 'test': which loader and metrics of the settings.
            scanned: as of `Runner`.

        Raises:
            ConfigError: if the settings have no such loader, or a metric scores what
                the model does not predict, or ignores another label than the data set.
        """
        super().__init__(predictor, settings, split, scanned)
        self.metrics: tuple[Metric, ...] = getattr(settings, f"{split}_evaluator")
        model = predictor.model
        for metric in self.metrics:
            if metric.target_key != model.predicted_key:
                raise ConfigError(
                    f"{split}_evaluator: {type(metric).__name__} looks at "
                    f"{metric.target_key}, and {type(model).__name__} predicts "
                    f"{model.predicted_key}"
                )
            if metric.ignore_index not in (None, self.dataset.ignore_index):
                raise ConfigError(
                    f"{split}_evaluator.ignore_index is {metric.ignore_index}, that of "
                    f"the data set {self.dataset.ignore_index}"
                )

    def __call__(
        self, variables: Any, progress: Callable[[int], None] = no_progress
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
        progress: Callable[[int], None] = no_progress,
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
        variables = self.prepare(variables)
        if not getattr(self.dataset, "separate_eval", False):
            return self._count(self.dataset, variables, progress, sinks)
        found, done = [], 0
        for part in self.dataset.datasets:
            tell = lambda more, done=done: progress(done + more)
            found.append(self._count(part, variables, tell, sinks))
            done += len(range(jax.process_index(), len(part), jax.process_count()))
        return [join_counts(parts) for parts in zip(*found)]

    def _count(self, dataset, variables, progress, sinks):
        empty = {metric: metric.empty(len(self.classes)) for metric in self.metrics}
        on_device = [metric for metric, total in empty.items() if total is not None]
        # Where the sums will be: otherwise the first one is a program of its own.
        totals = tuple(self.predictor.put_variables(empty[m]) for m in on_device)
        images = ImageCounts(self.metrics, self.classes)
        sinks = [images.add, *sinks] if images.are_wanted else sinks

        def run(samples, bucket):
            nonlocal totals
            if not on_device:  # and then no labels either
                return self.predicted(variables, samples, bucket)
            totals, maps = self._add(
                totals, variables, samples, bucket, metrics=on_device, keeps=bool(sinks)
            )
            return results_of(samples, maps) if sinks else ()

        self.each_batch(dataset, run, sinks, progress)
        sums = dict(zip(on_device, totals, strict=True))
        sums = {m: sum_over_hosts(read_total(total)) for m, total in sums.items()}
        return images.of_all_hosts(sums)

    def _add(self, totals, variables, samples, bucket, **count):
        """Counts samples of one bucket into the totals."""
        filled = self.filled(samples)
        with self.naming(samples):
            return self.predictor.add_counts(
                totals,
                variables,
                self.versions(samples),
                [sample[self.predictor.model.predicted_key] for sample in filled],
                bucket,
                is_sample=np.arange(len(filled)) < len(samples),
                ignore_index=self.dataset.ignore_index,
                directions=self.directions,
                **count,
            )

    def check(self, sample: Mapping[str, Any]) -> None:
        """Refuses a sample that cannot be evaluated.

        Raises:
            ConfigError: naming the file and what it lacks.
        """
        key = self.predictor.model.predicted_key
        if key not in sample:
            raise ConfigError(
                f"{sample['img_path']} has no label: an evaluation needs {key}, a folder "
                "of labels in data_prefix, and LoadAnnotations (of depths, "
                "LoadDepthAnnotation) in the pipeline"
            )
        super().check(sample)
        own = size_of(sample)
        before = sample.get("ori_shape", own)[:2]
        if own != before:
            raise ConfigError(
                f"{sample['img_path']} is {before[0]}x{before[1]}, and its label "
                f"{own[0]}x{own[1]} after the pipeline, but scores are those of the "
                "original size: LoadAnnotations stands behind what changes a size in "
                f"{self._path}.dataset.pipeline"
            )

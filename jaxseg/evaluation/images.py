"""Counts of single images, for the metrics that look at them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxseg.evaluation.gather import names_of_hosts, rows_of_hosts
from jaxseg.metrics.metric import Counts, Metric


class ImageCounts:
    """What metrics count of the images of this host.

    Attributes:
        are_wanted: whether any metric looks at single images.
    """

    def __init__(self, metrics: Sequence[Metric], classes: Sequence[str]):
        self._metrics, self._classes = metrics, classes
        self._names: dict[int, str] = {}
        self._rows: dict[Metric, dict[int, np.ndarray]] = {
            metric: {} for metric in metrics if metric.sees_images
        }
        self.are_wanted = bool(self._rows)

    def add(
        self, sample: Mapping[str, Any], pred: np.ndarray, probabilities: Any
    ) -> None:
        """Counts one image; a `runner.Sink`.

        Args:
            sample: with its `number` in the data set.
            pred: its label map (H, W).
            probabilities: not looked at.
        """
        self._names[sample["number"]] = sample["img_path"]
        for metric, rows in self._rows.items():
            rows[sample["number"]] = metric.of_image(pred, sample, self._classes)

    def of_all_hosts(self, sums: Mapping[Metric, np.ndarray]) -> list[Counts]:
        """What each metric has counted over all images of all hosts.

        Args:
            sums: the totals of those that count on the device.
        """
        names = names_of_hosts(self._names) if self.are_wanted else {}
        images = tuple(names[number] for number in sorted(names))
        found = []
        for metric in self._metrics:
            if metric in self._rows:
                rows = rows_of_hosts(self._rows[metric])
                table = np.stack([rows[number] for number in sorted(rows)])
                found.append(Counts(sums.get(metric), images, table))
            else:
                found.append(Counts(sums[metric]))
        return found

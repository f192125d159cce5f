"""Calibration: whether the probability of what is predicted is how often it is right."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.errors import FieldError
from jaxseg.metrics.metric import Counts, Metric, Scores
from jaxseg.metrics.tables import write_table
from jaxseg.ops.confusion import add_to_total

# Probabilities are summed in these parts of 1, exactly: 2 ** 16 of them.
_PARTS = 1 << 16


@dataclasses.dataclass(frozen=True)
class CalibrationMetric(Metric):
    """Expected calibration error over all pixels (Guo et al., ICML 2017), in percent.

    https://arxiv.org/abs/1706.04599. Bins of equal width, closed above. It counts on
    the device; probabilities are rounded to 2 ** -16 where they are summed, which
    moves the score by less than 0.001.

    Attributes:
        num_bins: the number of bins.
        ignore_index: the label that counts nowhere; None takes the data set's.
    """

    num_bins: int = 15
    ignore_index: int | None = None
    needs_confidence: ClassVar[bool] = True

    def __post_init__(self):
        if self.num_bins < 1:
            raise FieldError(f"num_bins is {self.num_bins}; it must be 1 at least")

    def score_names(self) -> tuple[str, ...]:
        return ("ECE",)

    def empty(self, num_classes: int) -> np.ndarray:
        """Rows: pixels, those that are right, and their probabilities."""
        return np.zeros((2, 3, self.num_bins), np.uint32)

    def update(self, total, preds, labels, is_sample, ignore_index, confidence=None):
        parts = zip(preds, labels, is_sample, confidence, strict=True)
        for pred, label, counts_too, p in parts:
            counts = ((label != ignore_index) & counts_too).astype(jnp.uint32)
            right = counts * (pred == label).astype(jnp.uint32)
            summed = counts * jnp.round(p * _PARTS).astype(jnp.uint32)
            place = jnp.ceil(p * self.num_bins).astype(jnp.int32) - 1
            place = jnp.clip(place, 0, self.num_bins - 1)
            total = _add(total, jnp.stack([counts, right, summed]), place)
        return total

    def compute(self, counts: Counts, classes: Sequence[str]) -> Scores:
        pixels, accuracy, confidence = self._bins(counts)
        there = pixels > 0
        gap = (pixels * np.abs(accuracy - confidence))[there].sum()
        error = 100 * gap / pixels.sum() if there.any() else np.nan
        return Scores({"ECE": float(np.round(error, 2))}, {})

    def _bins(self, counts):
        """Pixels, accuracy and mean probability of each bin; NaN of an empty one."""
        pixels, right, summed = counts.total.astype(np.float64)
        with np.errstate(invalid="ignore"):
            return pixels, right / pixels, summed / _PARTS / pixels

    def write(self, counts: Counts, classes: Sequence[str], folder: Path) -> None:
        """`calibration.csv` and the reliability diagram, `reliability.png`."""
        # Matplotlib takes half a second to load, and a prediction draws nothing.
        from jaxseg.metrics.reliability import draw_reliability

        pixels, accuracy, confidence = self._bins(counts)
        edges = np.linspace(0, 1, self.num_bins + 1)
        header = ("above", "up to", "pixels", "accuracy", "confidence")
        columns = edges[:-1], edges[1:], pixels.astype(int), accuracy, confidence
        write_table(folder / "calibration.csv", header, zip(*columns, strict=True))
        score = self.compute(counts, classes).summary["ECE"]
        draw_reliability(pixels, accuracy, score, folder / "reliability.png")


def _add(total: jax.Array, values: jax.Array, place: jax.Array) -> jax.Array:
    """Adds values (3, H, W) uint32 to the bins (H, W) of a total, without overflow.

    A row of fewer than 2 ** 16 pixels, of at most 2 ** 16 each, fits into 32 bits.
    """
    height, width = place.shape
    rows = jnp.broadcast_to(jnp.arange(height)[:, None], (height, width))
    sums = jnp.zeros((3, height, total.shape[-1]), jnp.uint32)
    sums = sums.at[:, rows, place].add(values)
    low, high = (sums & 0xFFFF).sum(1), (sums >> 16).sum(1)
    total = add_to_total(add_to_total(total, low), high << 16)
    return total.at[1].add(high >> 16)

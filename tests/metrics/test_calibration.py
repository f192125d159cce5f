"""ECE, against its definition in float64, and its bins beyond 32 bits."""

import jax
import numpy as np

from jaxseg.metrics.calibration import CalibrationMetric
from jaxseg.metrics.metric import Counts
from jaxseg.ops.confusion import read_total


def test_expected_calibration_error(tmp_path):
    rng, metric = np.random.default_rng(0), CalibrationMetric(num_bins=10)
    confidence = rng.uniform(0.2, 1, (3, 20, 30)).astype(np.float32)
    preds = rng.integers(0, 3, confidence.shape)
    right = rng.random(confidence.shape) < confidence**2
    labels = np.where(right, preds, (preds + 1) % 3)
    labels[:, 0] = 255
    is_sample = np.array([True, True, False])
    update = jax.jit(metric.update, static_argnames="ignore_index")
    total = metric.empty(3)
    for _ in range(2):
        total = update(total, preds, labels, is_sample, ignore_index=255,
                       confidence=confidence)  # fmt: skip
    counts = Counts(read_total(total))

    p, r = confidence[:2, 1:].ravel().astype(np.float64), right[:2, 1:].ravel()
    place, error = np.ceil(p * 10) - 1, 0.0
    for number in range(10):
        inside = place == number
        if inside.any():
            error += inside.mean() * abs(r[inside].mean() - p[inside].mean())
    assert counts.total[0].sum() == 2 * p.size
    score = metric.compute(counts, "abc").summary["ECE"]
    assert abs(score - 100 * error) < 0.0051 and score > 5
    metric.write(counts, "abc", tmp_path)
    lines = (tmp_path / "calibration.csv").read_text().splitlines()
    assert len(lines) == 11 and lines[1] == "0.0,0.1,0,,"
    assert (tmp_path / "reliability.png").stat().st_size > 5000


def test_sums_above_32_bits():
    metric = CalibrationMetric(num_bins=2)
    total = np.array([np.full((3, 2), 2**32 - 5), np.zeros((3, 2))]).astype(np.uint32)
    ones = np.ones((1, 300, 400), np.int32)
    total = metric.update(
        total, ones, ones, np.array([True]), 255, ones.astype(np.float32)
    )
    pixels, right, summed = read_total(total)[:, 1]
    assert pixels == right == 2**32 - 5 + 120_000
    assert summed == 2**32 - 5 + 120_000 * 2**16

"""Reliability diagram: the accuracy over the confidence."""

from pathlib import Path

import numpy as np

from jaxseg.visualize import new_figure


def draw_reliability(
    pixels: np.ndarray, accuracy: np.ndarray, score: float, path: Path
) -> None:
    """Draws the accuracy of each bin, and below it how many pixels there are.

    Args:
        pixels: (M,) of each bin of confidence, of equal width.
        accuracy: (M,) from 0 to 1; NaN of an empty bin.
        score: the calibration error in percent.
        path: the picture.
    """
    count = len(pixels)
    middles = (np.arange(count) + 0.5) / count
    figure = new_figure(5, 6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.bar(middles, np.nan_to_num(accuracy), 0.95 / count, color="tab:blue")
    upper.plot([0, 1], [0, 1], "--", color="black", label="calibrated")
    upper.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy", title=f"ECE {score:.2f} %")
    upper.legend()
    lower.bar(middles, 100 * pixels / max(pixels.sum(), 1), 0.95 / count, color="gray")
    lower.set(xlabel="confidence", ylabel="% of pixels")
    figure.savefig(path, dpi=120)

"""Confusion matrix as a table and as a picture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxseg.metrics.tables import write_table
from jaxseg.visualize import new_figure

# Above this many classes the cells are too small for numbers.
_MOST_NUMBERS = 25
_CELL_INCHES = 0.42
_MOST_INCHES = 20.0


def write_confusion(
    confusion: np.ndarray, classes: Sequence[str], folder: Path
) -> None:
    """Writes `confusion.csv`, pixels, and `confusion.png`, percent of each label.

    Args:
        confusion: integers (C + 1, C), [label, pred], row C for labels out of range.
        classes: names of the C classes.
        folder: exists.
    """
    names = [*classes, "(label out of range)"]
    rows = [(name, *row) for name, row in zip(names, confusion.tolist(), strict=True)]
    if not confusion[-1].any():
        rows.pop()
    write_table(folder / "confusion.csv", ("label \\ prediction", *classes), rows)
    draw_confusion(confusion[:-1], classes, folder / "confusion.png")


def draw_confusion(confusion: np.ndarray, classes: Sequence[str], path: Path) -> None:
    """Draws a matrix whose rows are percent of the pixels with that label.

    Args:
        confusion: integers (C, C), [label, pred]. A row without a pixel is white.
        classes: names of the classes.
        path: the picture.
    """
    count = len(classes)
    with np.errstate(invalid="ignore"):
        percent = confusion * 100 / confusion.sum(1, keepdims=True)
    side = min(2.5 + _CELL_INCHES * count, _MOST_INCHES)
    figure = new_figure(side + 0.8, side)
    axes = figure.subplots()
    image = axes.imshow(percent, cmap="Blues", vmin=0, vmax=100)
    figure.colorbar(image, ax=axes, shrink=0.8, label="% of the label's pixels")
    size = float(np.clip(_MOST_INCHES * 30 / count, 4, 9))
    axes.set_xticks(range(count), classes, rotation=90, fontsize=size)
    axes.set_yticks(range(count), classes, fontsize=size)
    axes.set_xlabel("prediction")
    axes.set_ylabel("label")
    if count <= _MOST_NUMBERS:
        for label, pred in np.argwhere(~np.isnan(percent)):
            value = percent[label, pred]
            text = f"{value:.0f}" if value >= 0.5 else ""
            color = "white" if value > 60 else "black"
            axes.text(pred, label, text, ha="center", va="center", color=color, size=7)
    figure.savefig(path, dpi=120)

"""Report of an evaluation: the scores as text, JSON and tables."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxseg.evaluation.evaluate import Evaluator
from jaxseg.metrics.iou import format_table
from jaxseg.metrics.metric import Counts, Scores
from jaxseg.metrics.tables import write_table
from jaxseg.runtime.workdir import WorkdirError


def report(
    scores: Scores, classes: Sequence[str], path: Path, split: str = "val"
) -> None:
    """Prints the table of the classes and the scores, the first of them last.

    Args:
        scores: the scores of an evaluation.
        classes: names of the classes.
        path: JSON file that gets the same numbers; NaN is null.
        split: 'val' or 'test', what the last line begins with.

    Raises:
        WorkdirError: if the file cannot be written; the scores are printed before.
    """
    per_class = {
        name: dict(zip(classes, map(_or_none, values), strict=True))
        for name, values in scores.per_class.items()
    }
    summary = {name: _or_none(value) for name, value in scores.summary.items()}
    text = json.dumps({"summary": summary, "per_class": per_class}, indent=2)
    if scores.per_class:
        print(format_table(scores.per_class, classes))
    first = next(name for name in scores.summary if name != "aAcc")
    rest = [name for name in scores.summary if name != first]
    if rest:
        print("  ".join(f"{name} {scores.summary[name]:.2f}" for name in rest))
    print(f"{split} {first} {scores.summary[first]:.2f}", flush=True)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    except OSError as error:
        raise WorkdirError(f"{path}: the scores cannot be written: {error}") from error


def _or_none(value):
    return None if np.isnan(value) else float(value)


def write_tables(
    evaluator: Evaluator, counts: Sequence[Counts], scores: Scores, folder: Path
) -> None:
    """Writes `per_class.csv`, and the tables and pictures of each metric.

    Args:
        evaluator: that counted.
        counts: of its metrics.
        scores: of the same counts.
        folder: is made where it is missing.

    Raises:
        WorkdirError: if a file cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if scores.per_class:
            columns = scores.per_class.values()
            rows = zip(evaluator.classes, *columns, strict=True)
            header = ("class", *scores.per_class)
            write_table(folder / "per_class.csv", header, rows)
        for metric, count in zip(evaluator.metrics, counts, strict=True):
            metric.write(count, evaluator.classes, folder)
    except OSError as error:
        raise WorkdirError(
            f"{folder}: the tables cannot be written: {error}"
        ) from error

"""IoU: mIoU and its relatives of a confusion matrix, by MMSegmentation's definitions.

Equal to IoUMetric of MMSegmentation 1.2.2 but for its rounding: areas are summed and
divided there in float32, here in int64 and float64, so that the second decimal can
differ where a score lies on a boundary of rounding, or a class has 2 ** 24 pixels.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from jaxseg.metrics.metric import Scores, mean_over_classes

_SCORES = {
    "mIoU": ("mIoU", "mAcc"),
    "mDice": ("mDice", "mAcc"),
    "mFscore": ("mFscore", "mPrecision", "mRecall"),
    "fwIoU": ("fwIoU",),
}
METRICS = tuple(_SCORES)


def score_names(metrics: Sequence[str]) -> tuple[str, ...]:
    """The names in `Scores.summary` for some metrics."""
    names = [name for metric in metrics for name in _SCORES[metric]]
    return ("aAcc", *dict.fromkeys(names))


def segmentation_metrics(
    confusion: np.ndarray,
    metrics: Sequence[str] = ("mIoU",),
    nan_to_num: float | None = None,
    beta: float = 1.0,
) -> Scores:
    """Computes scores from a confusion matrix.

    A score is NaN where its denominator is 0, and then left out of the mean: all scores
    of a class that is neither labelled nor predicted, Acc of one that is not labelled,
    and Fscore of one of which no pixel is right (its precision and recall are 0).

    Args:
        confusion: Integers (C + 1, C), [label, pred], row C for labels out of range, as
            `confusion.confusion_matrix` counts.
        metrics: Some of 'mIoU' (gives IoU and Acc), 'mDice' (Dice and Acc), 'mFscore'
            (Fscore, Precision and Recall), and 'fwIoU', the mean of the IoU in which a
            class weighs as much as it is labelled.
        nan_to_num: What a NaN becomes before the means are taken; None leaves it.
        beta: Weight of the recall in Fscore.

    Returns:
        `Scores` in percent; the summary has aAcc, the part of the labelled pixels that
        is right, and for each score of `metrics` the mean over the classes.

    Raises:
        ValueError: A metric is unknown, or the matrix has another shape.
    """
    return scores_of_areas(*areas_of(confusion), metrics, nan_to_num, beta)


def areas_of(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pixels that are right, labelled and predicted, a class: float64 (C,) each.

    Raises:
        ValueError: The matrix has another shape than (C + 1, C).
    """
    confusion = np.asarray(confusion)
    if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1] + 1:
        raise ValueError(
            f"confusion: expected the shape (C + 1, C), found {confusion.shape}"
        )
    right, labelled = np.diagonal(confusion), confusion[:-1].sum(1)
    return tuple(x.astype(np.float64) for x in (right, labelled, confusion.sum(0)))


def scores_of_areas(
    right: np.ndarray,
    labelled: np.ndarray,
    predicted: np.ndarray,
    metrics: Sequence[str] = ("mIoU",),
    nan_to_num: float | None = None,
    beta: float = 1.0,
) -> Scores:
    """As `segmentation_metrics`, of the areas that a confusion matrix has.

    Args:
        right, labelled, predicted: Pixels of each class, float64 (C,).
        metrics, nan_to_num, beta: As there.
    """
    unknown = [metric for metric in metrics if metric not in METRICS]
    if unknown:
        raise ValueError(f"metrics: {unknown} are not known, allowed are {METRICS}")
    with np.errstate(invalid="ignore"):
        accuracy = right.sum() / labelled.sum()
        ratios = _ratios(right, labelled, predicted, metrics, beta)
        weighted = _weighted_iou(right, labelled, predicted)
    if nan_to_num is not None:
        accuracy = np.nan_to_num(accuracy, nan=nan_to_num)
        weighted = np.nan_to_num(weighted, nan=nan_to_num)
        ratios = {k: np.nan_to_num(v, nan=nan_to_num) for k, v in ratios.items()}

    summary = {f"m{name}": mean_over_classes(values) for name, values in ratios.items()}
    summary = {"aAcc": accuracy, **summary, "fwIoU": weighted}
    return Scores(
        {
            name: float(np.round(summary[name] * 100, 2))
            for name in score_names(metrics)
        },
        {name: np.round(values * 100, 2) for name, values in ratios.items()},
    )


def _weighted_iou(right, labelled, predicted) -> float:
    # A class that is not labelled weighs nothing, whatever its IoU.
    there = labelled > 0
    iou = right[there] / (predicted + labelled - right)[there]
    return (labelled[there] * iou).sum() / labelled.sum()


def _ratios(right, labelled, predicted, metrics, beta) -> dict[str, np.ndarray]:
    recall = right / labelled
    ratios = {}
    if "mIoU" in metrics:
        ratios["IoU"] = right / (predicted + labelled - right)
        ratios["Acc"] = recall
    if "mDice" in metrics:
        ratios["Dice"] = 2 * right / (predicted + labelled)
        ratios["Acc"] = recall
    if "mFscore" in metrics:
        precision = right / predicted
        both = (1 + beta**2) * precision * recall
        ratios["Fscore"] = both / (beta**2 * precision + recall)
        ratios["Precision"] = precision
        ratios["Recall"] = recall
    return ratios


def format_table(per_class: Mapping[str, np.ndarray], classes: Sequence[str]) -> str:
    """Lays out `Scores.per_class` as text, a line a class, numbers with two decimals.

    Args:
        per_class: Arrays (C,) by the name of the score.
        classes: The C class names.

    Returns:
        Lines of one width, joined by newlines.
    """
    for name, values in per_class.items():
        if len(values) != len(classes):
            raise ValueError(
                f"{name} has {len(values)} values, but there are {len(classes)} classes"
            )
    columns = [["Class", *classes]]
    columns += [
        [name, *(f"{value:.2f}" for value in values)]
        for name, values in per_class.items()
    ]
    widths = [max(map(len, column)) for column in columns]
    return "\n".join(
        "  ".join(
            [cells[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:])]
        )
        for cells in zip(*columns)
    )

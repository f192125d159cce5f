"""Ignored label: in mmseg the loss and the metric say which number counts nowhere.

Here the data set says so, and the loss and the metric have to agree. So a data set of
ours gets the number of the one that reads its labels in mmseg.
"""

from collections.abc import Mapping
from typing import Any

from input_pipeline import datasets
from jaxseg.mmseg_config.line import is_v0
from jaxseg.mmseg_config.report import Report
from jaxseg.mmseg_config.type_names import find_class

_DEFAULT = 255


def ignored(raw: Mapping[str, Any], training: bool) -> int | None:
    """The label that mmseg's loss, or its metric, passes over.

    Args:
        raw: a whole config of either line.
        training: for the data of the training, or of the evaluation.

    Returns:
        None where the data set says so in mmseg too (0.x's evaluation), or the config
        has no number.
    """
    if training:
        model = raw.get("model")
        head = model.get("decode_head") if isinstance(model, Mapping) else None
        head = head[-1] if isinstance(head, (list, tuple)) and head else head
    elif is_v0(raw):
        return None
    else:
        head = raw.get("val_evaluator") or raw.get("test_evaluator")
        head = head[0] if isinstance(head, (list, tuple)) else head
    if not isinstance(head, Mapping):
        return None
    found = head.get("ignore_index", _DEFAULT)
    return found if isinstance(found, int) else None


def with_ignore_index(
    dataset: dict[str, Any], number: int | None, path: str, report: Report
) -> dict[str, Any]:
    """A data set of ours, with those inside it, whose ignore_index is a number.

    Args:
        dataset: in our keys.
        number: from `ignored`; None changes nothing.
        path: the path of its loader.
        report: is told of a number that changes.
    """
    if number is None:
        return dataset
    if "datasets" in dataset:
        parts = [
            with_ignore_index(part, number, path, report)
            for part in dataset["datasets"]
        ]
        return {**dataset, "datasets": parts}
    if "dataset" in dataset:
        inner = with_ignore_index(dataset["dataset"], number, path, report)
        return {**dataset, "dataset": inner}
    cls = find_class(dataset["type"], datasets)
    own = dataset.get("ignore_index", getattr(cls, "ignore_index", _DEFAULT))
    if own == number:
        return dataset
    reader = "decode_head" if path.startswith("train") else "IoUMetric"
    report.note(
        f"{path}.dataset: ignore_index={number}, as {reader} has it, by which mmseg "
        f"passes over labels there; its data set has {own}"
    )
    return {**dataset, "ignore_index": number}

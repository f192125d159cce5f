"""Mixed records: a sample and the others of a MultiImageMixDataset, checked to fit."""

from collections.abc import Mapping
from typing import Any

from input_pipeline.errors import DataError
from input_pipeline.transforms.targets import targets_of


def mixed_records(results: Mapping[str, Any], count: int, name: str) -> list[dict]:
    """The sample itself and the `count` others, which have what it has.

    Args:
        results: the record, with the others under `mix_results`.
        count: how many others the transform takes.
        name: the transform's, for errors.

    Raises:
        DataError: not so many others; other channels, types or targets in one of them;
            or a target of another size than its image.
    """
    records = [results, *results.get("mix_results", ())]
    if len(records) != 1 + count:
        raise DataError(
            f"{results.get('img_path')}: {name} needs other samples ({count}), and got "
            f"{len(records) - 1}; put it into the pipeline of a MultiImageMixDataset."
        )
    kinds = [_kind(record) for record in records]
    for record, kind in zip(records, kinds, strict=True):
        if kind != kinds[0]:
            raise DataError(
                f"{record.get('img_path')}: {name} got {kind}, and of "
                f"{results.get('img_path')} {kinds[0]}; they must be equal."
            )
        for key, target in targets_of(record).items():
            if target.shape[:2] != record["img"].shape[:2]:
                raise DataError(
                    f"{record.get('img_path')}: {name} got an image of "
                    f"(height, width) {record['img'].shape[:2]} and a {key} of "
                    f"{target.shape[:2]}; they must be equal."
                )
    return records


def _kind(record):
    """What the arrays of a record are, but for their sizes."""
    arrays = {"img": record["img"], **dict(sorted(targets_of(record).items()))}
    kinds = (
        f"{key} of {array.dtype}" + (f" x {array.shape[2]}" if array.ndim > 2 else "")
        for key, array in arrays.items()
    )
    return ", ".join(kinds)

"""Data sets joined and repeated."""

import numpy as np
import pytest

from input_pipeline.datasets import BaseSegDataset, ConcatDataset, RepeatDataset
from input_pipeline.errors import DataError


def images(folder, count, **fields):
    """A data set of `count` images without labels, listed only."""
    folder.mkdir()
    for i in range(count):
        (folder / f"{folder.name}{i}.jpg").touch()
    fields.setdefault("metainfo", {"classes": ("a", "b")})
    return BaseSegDataset(data_prefix={"img_path": str(folder)}, **fields)


def order(dataset):
    paths = [dataset[i]["img_path"] for i in range(len(dataset))]
    return [path.rsplit("/", 1)[1] for path in paths]


def test_concat_keeps_the_order_and_each_ones_own_pipeline(tmp_path):
    first = images(tmp_path / "x", 2, pipeline=(lambda r, rng: r | {"by": "first"},))
    second = images(tmp_path / "y", 3, pipeline=(lambda r, rng: r | {"by": "second"},))
    both = ConcatDataset((first, second))
    assert order(both) == ["x0.jpg", "x1.jpg", "y0.jpg", "y1.jpg", "y2.jpg"]
    rng = np.random.default_rng(0)
    ran = [both.sample(i, rng)["by"] for i in range(5)]
    assert ran == ["first"] * 2 + ["second"] * 3
    assert len(both.files()) == 5
    with pytest.raises(IndexError):
        both[5]


def test_repeat_goes_round_and_lists_each_file_once(tmp_path):
    dataset = RepeatDataset(images(tmp_path / "x", 2), times=3)
    assert order(dataset) == ["x0.jpg", "x1.jpg"] * 3
    assert len(dataset.files()) == 2
    assert dataset.metainfo["classes"] == ("a", "b")
    with pytest.raises(IndexError):
        dataset[6]


def test_what_does_not_fit_together_is_refused(tmp_path):
    first = images(tmp_path / "x", 1)
    other = images(tmp_path / "y", 1, metainfo={"classes": ("a", "c")})
    with pytest.raises(DataError, match=r"datasets.1 has metainfo=.*'c'.*'b'"):
        ConcatDataset((first, other))
    ignoring = images(tmp_path / "z", 1, ignore_index=0)
    with pytest.raises(DataError, match="datasets.1 has ignore_index=0"):
        ConcatDataset((first, ignoring))
    with pytest.raises(DataError, match="'datasets' is empty"):
        ConcatDataset(())
    with pytest.raises(DataError, match="times=0"):
        RepeatDataset(first, times=0)

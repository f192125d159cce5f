"""Data sets joined and repeated."""

import numpy as np
import pytest

from input_pipeline.datasets import (
    BaseSegDataset,
    ConcatDataset,
    MultiImageMixDataset,
    RepeatDataset,
)
from input_pipeline.errors import DataError
from input_pipeline.transforms.transform import Transform


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


class Neighbours(Transform):
    """Mixes a sample with the first two."""

    def get_indices(self, count, rng):
        return 0, 1

    def __call__(self, results, rng):
        return results | {"by": [r["by"] for r in (results, *results["mix_results"])]}


class Fails(Transform):
    def __call__(self, results, rng):
        raise ValueError("no")


def named(name):
    return (lambda results, rng: results | {"by": name},)


def test_mixed_samples_come_from_the_pipelines_of_those_inside(tmp_path):
    parts = [images(tmp_path / n, 1, pipeline=named(n)) for n in "xyz"]
    inside = ConcatDataset(tuple(parts))
    last = lambda results, rng: results | {"mixed": "mix_results" in results}
    dataset = MultiImageMixDataset(inside, (Neighbours(), last, Fails()), ("Fails",))
    found = dataset.sample(2, np.random.default_rng(0))
    assert found["by"] == ["z", "x", "y"] and not found["mixed"]
    assert order(dataset) == ["x0.jpg", "y0.jpg", "z0.jpg"]
    assert dataset.files() == inside.files() and dataset.metainfo == inside.metainfo

    # What is asked of a pipeline is asked of both, for each data set inside.
    pipelines = [part.pipeline for part in dataset.parts()]
    assert [len(steps) for steps in pipelines] == [3, 3, 3]
    assert pipelines[2][0] is parts[2].pipeline[0]
    assert all(type(steps[1]) is Neighbours for steps in pipelines)


def test_a_mixed_sample_that_fails_is_named(tmp_path):
    inside = images(tmp_path / "x", 2)
    with pytest.raises(ValueError) as error:
        MultiImageMixDataset(inside, (Fails(),)).sample(1, np.random.default_rng(0))
    assert "x1.jpg" in error.value.__notes__[0]

"""Submissions have the values and names that the test servers take."""

import dataclasses

import numpy as np
import pytest

from input_pipeline.datasets import (
    ADE20KDataset,
    BaseSegDataset,
    CityscapesDataset,
    ConcatDataset,
    LoveDADataset,
    iSAIDDataset,
)
from input_pipeline.errors import DataError
from input_pipeline.submission import submitted_names, submitted_values


def made(cls, folder, *names, **fields):
    """A data set of empty files, without labels."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return cls(data_prefix={"img_path": str(folder)}, **fields)


# As mmseg writes them: CityscapesMetric of 1.2.2; `results2img` of 0.30's data sets.
@pytest.mark.parametrize(
    ("cls", "image", "values", "name"),
    [
        (
            CityscapesDataset,
            "berlin/berlin_000000_000019_leftImg8bit.png",
            {0: 7, 1: 8, 2: 11, 10: 23, 13: 26, 16: 31, 18: 33},
            "berlin_000000_000019_leftImg8bit.png",
        ),
        (ADE20KDataset, "ADE_test_1.jpg", {0: 1, 149: 150}, "ADE_test_1.png"),
        (LoveDADataset, "4191.png", {0: 0, 6: 6}, "4191.png"),
        (
            iSAIDDataset,
            "P0003_0_896_0_896.png",
            {0: 0, 15: 15},
            "P0003_0_896_0_896_instance_color_RGB.png",
        ),
    ],
)
def test_the_form_of_a_data_set(tmp_path, cls, image, values, name):
    dataset = made(cls, tmp_path, image)
    found = submitted_values(dataset)
    assert found.dtype == np.uint8 and len(found) == len(cls.CLASSES)
    assert {i: int(found[i]) for i in values} == values
    assert submitted_names(dataset) == {str(tmp_path / image): name}


def test_the_values_follow_the_names_of_the_classes(tmp_path):
    image = "a_leftImg8bit.png"
    chosen = {"classes": ["car", "road"]}
    dataset = made(CityscapesDataset, tmp_path, image, metainfo=chosen)
    assert submitted_values(dataset).tolist() == [26, 7]
    dataset.metainfo = {"classes": ("car", "tram")}
    with pytest.raises(DataError, match="server knows no class 'tram'; it takes road"):
        submitted_values(dataset)


def test_one_of_your_own_has_the_numbers_of_its_files(tmp_path):
    fields = {"metainfo": {"classes": list("abc")}, "img_suffix": ".png"}
    dataset = made(BaseSegDataset, tmp_path, "x/1.png", **fields)
    assert submitted_values(dataset).tolist() == [0, 1, 2]
    dataset = dataclasses.replace(
        dataset, reduce_zero_label=True, metainfo=fields["metainfo"]
    )
    assert submitted_values(dataset).tolist() == [1, 2, 3]
    again = made(BaseSegDataset, tmp_path / "more", "x/1.png", **fields)
    with pytest.raises(DataError, match=r"both be submitted as 1.png"):
        submitted_names(ConcatDataset((dataset, again)))

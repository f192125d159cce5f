"""Sizes of DPT's: those of transformers 5.24's get_resize_output_image_size."""

import pytest

from input_pipeline.errors import DataError
from input_pipeline.transforms import ResizeClosestSide


@pytest.mark.parametrize(
    ("size", "expected", "of_32"),
    [
        ((640, 480), (512, 384), (512, 384)),
        ((480, 640), (300, 400), (288, 384)),
        ((97, 31), (300, 96), (288, 96)),
        ((720, 96), (300, 40), (288, 32)),
    ],
)
def test_sizes(size, expected, of_32):
    assert ResizeClosestSide((300, 384)).output_size(size) == expected
    assert ResizeClosestSide((300, 384), 32).output_size(size) == of_32


def test_what_is_refused():
    with pytest.raises(DataError, match="must be 1 or more"):
        ResizeClosestSide((0, 3))
    with pytest.raises(DataError, match="'linear'"):
        ResizeClosestSide((3, 3), interpolation="linear")

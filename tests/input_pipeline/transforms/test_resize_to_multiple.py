"""Sides of a multiple, against mmcv."""

import zlib

import pytest

from input_pipeline.transforms import Resize, ResizeToMultiple


# Shapes and CRC-32 of the label are those of mmcv 2.1.0's imresize_to_multiple.
@pytest.mark.parametrize(
    "divisor, shape, crc",
    [
        (32, (64, 96), 1561617712),
        (7, (63, 84), 3037798229),
        (20, (60, 80), 3830680969),
    ],
)
def test_sizes_and_labels_of_mmcv(picture, label, divisor, shape, crc):
    results = ResizeToMultiple(divisor)({"img": picture, "gt_seg_map": label}, None)
    assert results["img_shape"] == results["img"].shape[:2] == shape
    assert zlib.crc32(results["gt_seg_map"]) == crc
    plain = Resize(scale=shape[::-1])({"img": picture}, None)["img"]
    assert (results["img"] == plain).all()


def test_what_is_refused():
    with pytest.raises(ValueError, match="size_divisor is 0"):
        ResizeToMultiple(0)
    with pytest.raises(ValueError, match="'linear'"):
        ResizeToMultiple(interpolation="linear")

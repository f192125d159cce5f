"""Depths: mmseg's numbers of a file, and of what is mixed into the image."""

import cv2
import numpy as np
import pytest

from input_pipeline.errors import DataError
from input_pipeline.transforms import LoadDepthAnnotation, RandomDepthMix


class Drawn:
    """Gives these numbers in place of random ones."""

    def __init__(self, *values):
        self.values = iter(values)

    def random(self):
        return next(self.values)


@pytest.fixture
def record(tmp_path):
    path = str(tmp_path / "depth.png")
    cv2.imwrite(path, np.array([[0, 255, 256, 1234, 9999]] * 2, np.uint16))
    img = np.full((2, 5, 3), 7, np.uint8)
    return dict(img=img, img_path="a.jpg", depth_map_path=path, ori_shape=(2, 5))


def test_millimetres_become_metres(record):
    found = LoadDepthAnnotation(depth_rescale_factor=1e-3)(record, None)
    depth = found["gt_depth_map"]
    assert depth.dtype == np.float32
    np.testing.assert_allclose(depth[1], [0, 0.255, 0.256, 1.234, 9.999], rtol=1e-6)


def test_a_part_of_the_image_becomes_the_files_numbers(record):
    record = LoadDepthAnnotation(depth_rescale_factor=1e-3)(record, None)
    # From 0.3 * 5 = 1 on, 0.75 * 0.9 * 4 = 2 pixels; mmseg 1.2.2 wraps 256 around.
    found = RandomDepthMix()(record, Drawn(0.1, 0.3, 0.9))
    np.testing.assert_array_equal(found["img"][0, :, 2], [7, 255, 0, 7, 7])
    assert (record["img"] == 7).all()
    assert RandomDepthMix()(record, Drawn(0.3)) is record


def test_what_does_not_fit_is_said(record, tmp_path):
    load = LoadDepthAnnotation()
    with pytest.raises(DataError, match=r"depth.png is 2x5 .*image 3x5; they must be"):
        load(record | {"ori_shape": (3, 5)}, None)
    with pytest.raises(
        DataError, match="a.jpg: LoadDepthAnnotation, but the sample has"
    ):
        load({"img_path": "a.jpg"}, None)
    with pytest.raises(DataError, match="RandomDepthMix needs gt_depth_map"):
        RandomDepthMix()(record, None)
    cv2.imwrite(record["depth_map_path"], np.zeros((2, 5, 3), np.uint8))
    with pytest.raises(DataError, match="depth.png has 3 channels"):
        load(record, None)
    with pytest.raises(DataError, match="decode_backend='numpy'"):
        LoadDepthAnnotation("numpy")

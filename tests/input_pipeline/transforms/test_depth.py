"""Depth maps: NYU's files, as mmseg reads them."""

import cv2
import numpy as np
import pytest

from input_pipeline.datasets import NYUDataset
from input_pipeline.errors import DataError
from input_pipeline.transforms import LoadDepthAnnotation, LoadImageFromFile


def make(folder, shape=(6, 8)):
    stored = np.arange(48, dtype=np.uint16).reshape(6, 8) * 200
    for part in ("images/train", "annotations/train"):
        (folder / part).mkdir(parents=True)
    stem = "dining_room_0001_rgb_00000"
    image = np.zeros((*shape, 3), np.uint8)
    cv2.imwrite(str(folder / "images/train" / f"{stem}.jpg"), image)
    cv2.imwrite(str(folder / "annotations/train" / f"{stem}.png"), stored)
    prefix = dict(img_path="images/train", depth_map_path="annotations/train")
    return NYUDataset(
        data_root=str(folder),
        data_prefix=prefix,
        pipeline=(LoadImageFromFile(), LoadDepthAnnotation(depth_rescale_factor=0.001)),
    ), stored


def test_depths_in_metres(tmp_path):
    """mmseg 1.2.2: the stored values as float32, times the factor."""
    data, stored = make(tmp_path)
    sample = data.sample(0, np.random.default_rng(0))
    expected = stored.astype(np.float32)
    expected *= 1e-3
    np.testing.assert_array_equal(sample["gt_depth_map"], expected)
    assert data.metainfo["classes"][data[0]["category_id"]] == "dining_room"


def test_an_image_without_its_depth_map(tmp_path):
    data, _ = make(tmp_path)
    cv2.imwrite(str(tmp_path / "images/train/cafe_0001_2.jpg"), np.zeros((6, 8, 3)))
    with pytest.raises(DataError, match="1 of 2 images have no depth map .*\n *cafe"):
        NYUDataset(data_root=str(tmp_path), data_prefix=data.data_prefix)


def test_a_depth_map_of_another_size(tmp_path):
    data, _ = make(tmp_path, (6, 9))
    with pytest.raises(DataError, match=r"a depth map of \(6, 8, 1\); .*\(6, 9\)"):
        data.sample(0, np.random.default_rng(0))

"""Change detection: pairs of images in two folders, as one image of both's channels."""

import cv2
import numpy as np
import pytest

from input_pipeline.datasets import LEVIRCDDataset
from input_pipeline.errors import DataError
from input_pipeline.transforms import (
    ConcatCDInput,
    LoadAnnotations,
    LoadMultipleRSImageFromFile,
    RandomFlip,
)
from tests.change_detection import make_pairs

PREFIX = {"img_path": "A", "img_path2": "B", "seg_map_path": "label"}


def dataset(folder, *transforms):
    load = LoadMultipleRSImageFromFile(), LoadAnnotations(), ConcatCDInput()
    return LEVIRCDDataset(
        data_root=str(folder), data_prefix=PREFIX, pipeline=(*load, *transforms)
    )


def rgb(path):
    return cv2.imread(str(path))[..., ::-1]


def test_both_images_in_rgb_order(tmp_path):
    make_pairs(tmp_path, 2)
    sample = dataset(tmp_path).sample(1, np.random.default_rng(0))
    both = [rgb(tmp_path / side / "1.png") for side in "AB"]
    assert sample["img"].dtype == np.uint8
    np.testing.assert_array_equal(sample["img"], np.concatenate(both, axis=2))
    label = cv2.imread(str(tmp_path / "label" / "1.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(sample["gt_seg_map"], label)
    assert "img2" not in sample and sample["ori_shape"] == (32, 48)


def test_what_stands_behind_treats_both_alike(tmp_path):
    make_pairs(tmp_path, 1)
    plain = dataset(tmp_path).sample(0, np.random.default_rng(0))
    turned = dataset(tmp_path, RandomFlip(prob=1.0)).sample(0, np.random.default_rng(0))
    for key in ("img", "gt_seg_map"):
        np.testing.assert_array_equal(turned[key], plain[key][:, ::-1])


def test_an_array_has_the_channels_of_both(tmp_path):
    both = np.zeros((4, 5, 6), np.uint8)
    sample = LoadMultipleRSImageFromFile(to_float32=True)({"img": both}, None)
    sample = ConcatCDInput()(sample, None)
    assert sample["img"].shape == (4, 5, 6) and sample["img"].dtype == np.float32
    np.save(tmp_path / "both.npy", both)
    sample = LoadMultipleRSImageFromFile()(
        {"img_path": str(tmp_path / "both.npy")}, None
    )
    np.testing.assert_array_equal(sample["img"], both)


def test_images_that_do_not_fit(tmp_path):
    make_pairs(tmp_path, 3)
    (tmp_path / "B" / "1.png").unlink()
    with pytest.raises(DataError, match=r"1 of 3 images in .*A have no second .*\n.*1"):
        dataset(tmp_path)
    cv2.imwrite(str(tmp_path / "B" / "1.png"), np.zeros((8, 9, 3), np.uint8))
    with pytest.raises(DataError, match=r"A/1.png is \(32, 48, 3\).*B/1.png \(8, 9, 3"):
        dataset(tmp_path).sample(1, np.random.default_rng(0))
    with pytest.raises(
        DataError, match="is one image, and LoadMultipleRSImageFromFile"
    ):
        LoadMultipleRSImageFromFile()({"img_path": str(tmp_path / "A/0.png")}, None)
    small = {"img_path": "a", "img": np.zeros((4, 4, 3)), "img2": np.zeros((5, 4, 3))}
    with pytest.raises(DataError, match=r"a: ConcatCDInput gets images of \(4, 4\)"):
        ConcatCDInput()(small, None)
    wrong = PREFIX | {"img_path3": "C"}
    with pytest.raises(DataError, match="may have 'img_path' and 'img_path2' and 'seg"):
        LEVIRCDDataset(data_root=str(tmp_path), data_prefix=wrong)

import cv2
import numpy as np
import pytest

from input_pipeline.datasets import NYUDataset
from input_pipeline.errors import DataError
from input_pipeline.transforms import (
    LoadDepthAnnotation,
    LoadImageFromFile,
    PackSegInputs,
)
from jaxseg.settings.unlabelled import without_labels

PREFIX = {"img_path": "images/test", "depth_map_path": "annotations/test"}


@pytest.fixture
def root(tmp_path):
    for folder, name, pixels in (
        ("images", "bathroom_1.jpg", np.zeros((4, 6, 3), np.uint8)),
        ("annotations", "bathroom_1.png", np.full((4, 6), 1500, np.uint16)),
    ):
        (tmp_path / folder / "test").mkdir(parents=True)
        cv2.imwrite(str(tmp_path / folder / "test" / name), pixels)
    return tmp_path


def test_depths_lie_beside_their_images(root):
    load = LoadDepthAnnotation(depth_rescale_factor=1e-3)
    pipeline = (LoadImageFromFile(), load, PackSegInputs())
    dataset = NYUDataset(str(root), PREFIX, pipeline=pipeline)
    sample = dataset.sample(0, np.random.default_rng(0))
    np.testing.assert_allclose(sample["gt_depth_map"], np.full((4, 6), 1.5))
    assert "gt_seg_map" not in sample and len(dataset.metainfo["classes"]) == 27
    (root / "annotations" / "test" / "bathroom_1.png").unlink()
    with pytest.raises(DataError, match="1 of 1 images in .* have no label"):
        NYUDataset(str(root), PREFIX)


def test_for_a_prediction_no_depths_need_be_there(root):
    node = {"type": "NYUDataset", "data_root": str(root), "data_prefix": PREFIX}
    changed = without_labels(node, "test_dataloader.dataset")
    assert changed["data_prefix"] == PREFIX | {"depth_map_path": None}
    assert "depth_map_path" not in NYUDataset(str(root), changed["data_prefix"])[0]

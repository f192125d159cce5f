"""Composed scenes of handwritten digits."""

import builtins

import numpy as np
import pytest

from input_pipeline.datasets import DigitsDataset, digits
from input_pipeline.errors import DataError


def test_a_scene_depends_on_seed_split_and_index_alone():
    scene = DigitsDataset(num_scenes=5)[3]
    again = DigitsDataset(num_scenes=50)[3]
    np.testing.assert_array_equal(scene["img"], again["img"])
    np.testing.assert_array_equal(scene["gt_seg_map"], again["gt_seg_map"])
    for other in (
        DigitsDataset(num_scenes=5)[2],
        DigitsDataset(num_scenes=5, seed=1)[3],
        DigitsDataset(split="val", num_scenes=5)[3],
    ):
        assert (scene["img"] != other["img"]).any()


def test_the_splits_share_no_scan():
    train, val = digits._scans("train")[0], digits._scans("val")[0]
    assert len(train) + len(val) == 1797  # scikit-learn's load_digits
    assert len(val) == 360  # every fifth
    assert not {scan.tobytes() for scan in train} & {scan.tobytes() for scan in val}


def test_shapes_types_and_labels():
    dataset = DigitsDataset(split="val", num_scenes=60, size=(64, 80))
    scenes = [dataset[i] for i in range(60)]
    for scene in scenes:
        assert scene["img"].shape == (64, 80, 3) and scene["img"].dtype == np.uint8
        assert scene["gt_seg_map"].shape == (64, 80)
        assert scene["gt_seg_map"].dtype == np.uint8
    counts = np.bincount(np.concatenate([s["gt_seg_map"].ravel() for s in scenes]))
    assert len(counts) == 11 and (counts > 0).all()
    assert dataset.metainfo["classes"] == ("background", *"0123456789")


def test_strokes_stand_out_from_what_is_behind_them():
    dataset = DigitsDataset(num_scenes=40)
    for i in range(40):
        scene = dataset[i]
        stroke, behind = scene["gt_seg_map"] > 0, scene["gt_seg_map"] == 0
        assert 0.02 < stroke.mean() < 0.45  # share of the pixels
        # Colours differ pixel by pixel where the scene holds dark and light digits.
        grey = scene["img"].mean(axis=2)
        assert np.abs(grey[stroke] - np.median(grey[behind])).mean() > 20


def test_digits_do_not_overlap():
    for seed in range(50):
        rng = np.random.default_rng(seed)
        boxes = digits._boxes((96, 96), rng)
        cover = np.zeros((96, 96), int)
        for y, x, side in boxes:
            assert 27 <= side <= 38  # 96 * 0.29 and 96 * 0.40
            cover[y : y + side, x : x + side] += 1
        assert 1 <= len(boxes) <= 5
        assert cover.max() == 1
        assert cover.sum() == sum(side**2 for _, _, side in boxes)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"split": "test"}, "split='test'; it may be 'train' or 'val'"),
        ({"num_scenes": 0}, "num_scenes=0"),
        ({"size": (16, 96)}, r"size=\(16, 96\)"),
        ({"size": (96, 400)}, r"size=\(96, 400\)"),
    ],
)
def test_what_cannot_be_composed_is_refused(fields, message):
    with pytest.raises(DataError, match=message):
        DigitsDataset(**fields)


def test_without_scikit_learn_the_error_names_the_extra(monkeypatch):
    real = builtins.__import__

    def no_sklearn(name, *args, **kwargs):
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    digits._scans.cache_clear()
    monkeypatch.setattr(builtins, "__import__", no_sklearn)
    with pytest.raises(ImportError, match=r"pip install -e '.\[digits\]'"):
        DigitsDataset()

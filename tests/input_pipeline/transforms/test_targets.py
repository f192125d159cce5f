"""Every target of a sample goes the way of its image, as in MMSegmentation.

The maps of mmseg 1.2.2's own transforms are those of make_mmseg_targets.py.
"""

import json
import pathlib

import numpy as np
import pytest

from input_pipeline import transforms
from input_pipeline.transforms import Pad, RandomCrop, RandomFlip, RandomRotate
from input_pipeline.transforms.resized_crop import join_resize_and_crop
from input_pipeline.transforms.targets import fill_value, targets_of
from jaxseg.mmseg_config.pipeline import translate_pipeline
from jaxseg.mmseg_config.report import Report
from jaxseg.resolve import resolve
from tests.input_pipeline.transforms.recorded_draws import RecordedDraws

STORED = np.load(pathlib.Path(__file__).with_name("mmseg_targets.npz"))
EXAMPLES = json.loads(str(STORED["examples"]))


@pytest.fixture
def sample(picture, label):
    """A record with a label, a depth (float32) and a map that numbers the pixels."""
    places = np.arange(label.size, dtype=np.uint16).reshape(label.shape)
    targets = {
        "gt_seg_map": label,
        "gt_depth_map": places.astype(np.float32),
        "gt_place_map": places,
    }
    record = {"img": picture, "img_shape": (60, 80), "img_path": "a.png"}
    return record | {"ignore_index": 255} | targets


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize("name", EXAMPLES)
def test_equal_to_mmseg(name, joined):
    example, report = EXAMPLES[name], Report()
    config = translate_pipeline(example["config"], False, report, name)
    pipeline = resolve(config, name, (transforms,))
    assert report.missing == report.notes == []
    label = STORED["label"]
    results = {
        "img": np.repeat(label[..., None], 3, axis=-1),
        "gt_seg_map": label,
        "gt_depth_map": STORED["depth"],
    }
    rng = RecordedDraws(example["draws"])
    for transform in join_resize_and_crop(pipeline) if joined else pipeline:
        results = transform(results, rng)
    rng.check_all_are_drawn()
    for key, kind in (("gt_seg_map", "label"), ("gt_depth_map", "depth")):
        expected = STORED[f"{name}.{kind}"]
        np.testing.assert_array_equal(results[key], expected)
        assert results[key].dtype == expected.dtype


@pytest.mark.parametrize(
    "transform",
    [
        RandomFlip(1.0, "diagonal"),
        RandomCrop((20, 30)),
        RandomRotate(1.0, 20),
        Pad(size=(100, 70)),
        transforms.Resize(scale=(40, 90)),
        transforms.ResizeToMultiple(64),
    ],
)
def test_targets_stay_together(sample, transform):
    changed = transform(sample, np.random.default_rng(0))
    places, depth = changed["gt_place_map"], changed["gt_depth_map"]
    assert places.shape == depth.shape == changed["img_shape"]
    came_in = (places == 255) & (depth == 0)
    np.testing.assert_array_equal(places[~came_in], depth[~came_in].astype(np.uint16))
    known = np.where(came_in, 0, places)
    expected = np.where(came_in, 255, sample["gt_seg_map"].ravel()[known])
    np.testing.assert_array_equal(changed["gt_seg_map"], expected)


def test_what_fills_new_pixels_counts_nowhere(sample):
    assert fill_value(sample["gt_seg_map"], 254) == 254
    assert fill_value(sample["gt_depth_map"], 254) == 0
    named = Pad(size=(100, 70), pad_val={"seg": 7})(sample, None)
    assert named["gt_seg_map"][-1, -1] == named["gt_depth_map"][-1, -1] == 7


def test_a_crop_refuses_a_target_of_another_size(sample):
    sample["gt_depth_map"] = sample["gt_depth_map"][:-1]
    message = "a.png: RandomCrop got an image of 60x80 and a gt_depth_map of 59x80"
    with pytest.raises(ValueError, match=message):
        RandomCrop((20, 30))(sample, np.random.default_rng(0))


def test_pack_keeps_every_target(sample):
    packed = transforms.PackSegInputs()(
        RandomFlip(1.0)(sample, np.random.default_rng(0)), None
    )
    assert targets_of(packed).keys() == targets_of(sample).keys()
    assert all(array.flags.c_contiguous for array in targets_of(packed).values())

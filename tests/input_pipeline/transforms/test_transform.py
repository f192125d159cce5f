"""What a transform says of itself holds, for every entry of the table."""

import cv2
import numpy as np
import pytest

from input_pipeline import transforms
from input_pipeline.transforms import (
    PhotoMetricDistortion,
    RandomDepthMix,
    RandomFlip,
    RandomRotate,
)
from input_pipeline.transforms.transform import Transform, does

CASES = {
    "AdjustGamma": {"gamma": 2.0},
    "BioMedical3DPad": {"pad_shape": (1, 70, 90)},
    "BioMedical3DRandomCrop": {"crop_shape": (1, 20, 30)},
    "BioMedical3DRandomFlip": {"prob": 0.5, "axes": (0, 1, 2)},
    "BioMedicalGaussianBlur": {"prob": 0.9},
    "BioMedicalGaussianNoise": {"prob": 0.9},
    "BioMedicalRandomGamma": {"prob": 0.9},
    "CLAHE": {},
    "ClassMix": {"prob": 0.9},
    "ConcatCDInput": {},
    "CopyPaste": {"prob": 0.5, "classes": ("b",)},
    "CutMix": {"prob": 0.9},
    "GenerateEdge": {},
    "LoadAnnotations": {},
    "LoadDepthAnnotation": {},
    "LoadImageFromFile": {},
    "LoadMultipleRSImageFromFile": {},
    "PackSegInputs": {},
    "Pad": {"size_divisor": 32},
    "PhotoMetricDistortion": {},
    "RandomChoiceResize": {"scales": ((30, 40), (50, 20))},
    "RGB2Gray": {},
    "RandomCrop": {"crop_size": (20, 30), "cat_max_ratio": 0.99},
    "RandomCutOut": {"prob": 0.9, "n_holes": (1, 3), "cutout_ratio": (0.2, 0.1)},
    "RandomDepthMix": {"prob": 0.9},
    "RandomFlip": {"prob": 0.5},
    "RandomMosaic": {"prob": 0.7, "img_scale": (40, 40)},
    "RandomResize": {"scale": (90, 60), "ratio_range": (0.5, 2.0)},
    "RandomRotFlip": {"rotate_prob": 0.2, "flip_prob": 0.9},
    "RandomRotate": {"prob": 0.9, "degree": 20.0},
    "Rerange": {"max_value": 100},
    "Resize": {"scale": (50, 30)},
    "ResizeClosestSide": {"scale": (50, 30), "size_divisor": 8},
    "ResizeShortestEdge": {"scale": 20, "max_size": 200},
    "ResizeToMultiple": {"size_divisor": 32},
    "SegRescale": {"scale_factor": 0.5},
}

# It needs Albumentations, and what it does is the user's choice.
OF_A_LIBRARY = {"Albu"}

# mmseg's loaders of volumes, which nothing here takes.
REFUSED = {
    "LoadBiomedicalAnnotation",
    "LoadBiomedicalData",
    "LoadBiomedicalImageFromFile",
}

# They take images of floats alone.
OF_FLOATS = {
    "BioMedicalGaussianBlur",
    "BioMedicalGaussianNoise",
    "BioMedicalRandomGamma",
}


def test_every_entry_has_a_case():
    assert CASES.keys() | OF_A_LIBRARY | REFUSED == set(transforms.__all__)


@pytest.fixture
def record(picture, label, tmp_path):
    depth = str(tmp_path / "depth.png")
    cv2.imwrite(depth, np.full((60, 80), 2000, np.uint16))
    sample = {"img": picture, "gt_seg_map": label}
    facts = {"classes": ("a", "b"), "ignore_index": 255}
    turned = {key: array[::-1, ::-1] for key, array in sample.items()}
    return sample | {
        "mix_results": [turned | facts] * 3,
        "raw_seg_map": label,
        "depth_map_path": depth,
        "ori_shape": (60, 80),
        "img_shape": (60, 80),
        "palette": ((0, 0, 0), (1, 1, 1)),
        "reduce_zero_label": False,
        "label_map": None,
        **facts,
    }


def fitting(record, transform):
    """The record with as many others, and the type, that the transform takes."""
    count = len(transform.get_indices(3, np.random.default_rng(0)))
    if type(transform).__name__ in OF_FLOATS:
        record = record | {"img": record["img"].astype(np.float32)}
    if isinstance(transform, RandomDepthMix):
        record = record | {"gt_depth_map": np.full((60, 80), 2, np.float32)}
    return record | {"mix_results": record["mix_results"][:count]}


@pytest.mark.parametrize("name", CASES)
def test_what_it_says_is_true(name, record):
    transform = getattr(transforms, name)(**CASES[name])
    record = fitting(record, transform)
    found = [transform(record, np.random.default_rng(seed)) for seed in range(6)]
    images = [results["img"] for results in found]

    varies = any(not np.array_equal(img, images[0]) for img in images)
    assert varies == transform.draws
    sizes = {img.shape[:2] for img in images}
    assert (sizes != {(60, 80)}) == transform.changes_size
    for seed, img in enumerate(images):
        size = transform.output_size((80, 60), np.random.default_rng(seed))
        assert size == img.shape[1::-1]
    touched = any(
        not np.array_equal(results[key], record.get(key))
        for results in found
        for key in ("img", "gt_seg_map", "gt_edge_map")
        if key in results
    )
    if not transform.touches_pixels:
        assert not touched
    if transform.makes_targets:
        assert all(img is record["img"] for img in images)
        assert all(key in found[0] for key in transform.makes_targets)
    if transform.can_leave_to_device:
        left = getattr(transforms, name)(**CASES[name], on_device=True)
        drawn = left(record, np.random.default_rng(0))
        assert drawn["img"] is record["img"]
        assert any(key.startswith("device_") for key in drawn)


@pytest.mark.parametrize("name", CASES)
def test_pixels_that_have_not_moved_stand_where_they_were(name, record):
    transform = getattr(transforms, name)(**CASES[name])
    # A ramp from left to right and from top to bottom, which stretching keeps.
    y, x = np.indices((60, 80), np.float32)
    ramps = {"gt_x": x / 79, "gt_y": y / 59}
    record["mix_results"][0].update({k: r[::-1, ::-1] for k, r in ramps.items()})
    record = fitting(record | ramps, transform)
    stays = True
    for seed in range(6):
        found = transform(record, np.random.default_rng(seed))
        height, width = found["gt_x"].shape
        stays &= np.allclose(found["gt_x"], np.linspace(0, 1, width), atol=0.05)
        stays &= np.allclose(found["gt_y"].T, np.linspace(0, 1, height), atol=0.05)
    assert stays != transform.moves_pixels


def test_a_rotation_that_grows_tells_no_size():
    grown = RandomRotate(1.0, 20, auto_bound=True)
    assert grown.changes_size and grown.output_size((80, 60)) is None


def test_of_an_unknown_transform_everything_is_expected():
    def unknown(results, rng):
        return results

    class Mine(Transform):
        draws = False

    assert does(unknown, "draws") and does(unknown, "changes_size")
    assert not does(Mine(), "draws") and Mine().output_size((1, 1)) is None
    assert does(RandomFlip, "can_leave_to_device")
    assert does(PhotoMetricDistortion, "can_leave_to_device")

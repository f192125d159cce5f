"""The biomedical transforms on slices, as MMSegmentation's on volumes of one z.

The values of mmseg 1.2.2 are those of make_mmseg_biomedical.py.
"""

import json
import pathlib

import numpy as np
import pytest

from input_pipeline import transforms
from input_pipeline.transforms import (
    BioMedical3DPad,
    BioMedical3DRandomCrop,
    BioMedical3DRandomFlip,
    BioMedicalGaussianBlur,
    BioMedicalGaussianNoise,
    BioMedicalRandomGamma,
)
from jaxseg.config import ConfigError
from jaxseg.resolve import resolve

STORED = np.load(pathlib.Path(__file__).with_name("mmseg_biomedical.npz"))
CASES = json.loads(str(STORED["cases"]))


class Legacy(np.random.RandomState):
    """The generator that mmseg draws from."""

    integers = np.random.RandomState.randint


def sample(name="slice"):
    img = STORED[f"{name}.img"].transpose(1, 2, 0)
    return {"img": img, "gt_seg_map": STORED[f"{name}.label"], "img_path": "a.npy"}


@pytest.mark.parametrize("place", range(len(CASES)))
def test_equal_to_mmseg(place):
    transform = resolve(CASES[place], "pipeline.0", (transforms,))
    padded = isinstance(transform, BioMedical3DPad)
    record = sample("square" if padded else "slice")
    before = record["img"].copy()
    results = []
    for seed in range(5):
        found = transform(record, Legacy(seed))
        results.append(found["img"])
        expected = STORED[f"{place}.{seed}.img"].transpose(1, 2, 0)
        if isinstance(transform, BioMedicalGaussianBlur):
            # mmseg rounds to float32 once more, behind the blur along z.
            np.testing.assert_allclose(found["img"], expected, rtol=1e-6, atol=1e-6)
        else:
            np.testing.assert_array_equal(found["img"], expected)
        if not padded:  # mmseg loses the label
            label = STORED[f"{place}.{seed}.label"]
            np.testing.assert_array_equal(found["gt_seg_map"], label)
        assert found["img"].dtype == np.float32
    np.testing.assert_array_equal(record["img"], before)
    changed = [not np.array_equal(img, before) for img in results]
    assert any(changed)


def test_gamma_of_each_channel_keeps_its_statistics():
    transform = BioMedicalRandomGamma(1.0, per_channel=True, retain_stats=True)
    img = sample()["img"]
    found = transform(sample(), np.random.default_rng(1))["img"]
    np.testing.assert_allclose(found.mean((0, 1)), img.mean((0, 1)), atol=1e-4)
    np.testing.assert_allclose(found.std((0, 1)), img.std((0, 1)), rtol=1e-4)
    # Each has its own power: alone, with the draws that are left, it is the same.
    rng = np.random.default_rng(1)
    rng.random()
    alone = [transform._adjusted(img[..., c], rng) for c in (0, 1)]
    np.testing.assert_allclose(found, np.stack(alone, -1), atol=1e-5)


def test_a_padding_puts_half_on_either_side():
    record = {
        "img": np.ones((2, 3, 1), np.float32),
        "gt_seg_map": np.full((2, 3), 7, np.uint8),
        "gt_edge_map": np.full((2, 3), 1, np.uint8),
    }
    found = BioMedical3DPad((1, 5, 4))(record, None)
    assert found["img_shape"] == found["img"].shape[:2] == (5, 4)
    assert found["gt_seg_map"].tolist() == [
        [0] * 4,
        *[[7, 7, 7, 0]] * 2,
        *[[0] * 4] * 2,
    ]
    assert found["gt_edge_map"][0].tolist() == [255] * 4


def test_labels_change_places_where_a_slice_is_flipped():
    record = {"img": np.zeros((1, 3, 1)), "gt_seg_map": np.array([[1, 2, 3]])}
    flip = BioMedical3DRandomFlip(1.0, (2,), swap_label_pairs=((1, 2),))
    assert flip(record, np.random.default_rng(0))["gt_seg_map"].tolist() == [[3, 1, 2]]
    along_z = BioMedical3DRandomFlip(1.0, (0,), swap_label_pairs=((1, 2),))
    assert along_z(record, np.random.default_rng(0)) is record


def test_a_crop_of_background_takes_any_place():
    record = sample() | {"gt_seg_map": np.full((9, 12), 255, np.uint8)}
    record["gt_seg_map"][:, 0] = 0
    crop = BioMedical3DRandomCrop((1, 2, 2))
    tops = {
        float(crop(record, np.random.default_rng(seed))["img"][0, 0, 1])
        for seed in range(20)
    }
    assert len(tops) > 10


@pytest.mark.parametrize(
    "config, message",
    [
        (
            dict(type="BioMedical3DRandomCrop", crop_shape=64),
            r"pipeline.0: .*crop_shape is 64; it must be \(1, y, x\).* networks of three",
        ),
        (
            dict(type="BioMedical3DPad", pad_shape=[16, 64, 64]),
            r"pad_shape is \(16, 64, 64\)",
        ),
        (dict(type="BioMedical3DRandomFlip", prob=2, axes=[0]), "prob is 2"),
        (dict(type="BioMedical3DRandomFlip", prob=1, axes=[3]), r"axes is \(3,\)"),
        (dict(type="BioMedicalGaussianNoise", std=-1), "std is -1"),
        (dict(type="BioMedicalGaussianBlur", sigma_range=[2.0, 1.0]), "sigma_range"),
        (dict(type="BioMedicalGaussianBlur", prob_per_channel=2), "prob_per_channel"),
        (dict(type="BioMedicalRandomGamma", prob=-1), "prob is -1"),
        (
            dict(type="LoadBiomedicalImageFromFile", decode_backend="numpy"),
            r"loads volumes \(N, Z, Y, X\), .* networks of three .* LoadImageFromFile\(",
        ),
        (dict(type="LoadBiomedicalAnnotation"), "load them by LoadAnnotations"),
        (dict(type="LoadBiomedicalData", with_seg=True), "volumes"),
    ],
)
def test_what_is_refused(config, message):
    with pytest.raises(ConfigError, match=message):
        resolve(config, "pipeline.0", (transforms,))


def test_what_the_samples_lack_is_told():
    record = {"img": np.zeros((4, 4, 3), np.uint8), "img_path": "a.png"}
    with pytest.raises(ValueError, match="a.png: BioMedicalGaussianNoise got .* uint8"):
        BioMedicalGaussianNoise(1.0)(record, np.random.default_rng(0))
    with pytest.raises(ValueError, match="a.png: .* keep_foreground needs a label"):
        BioMedical3DRandomCrop((1, 2, 2))(record, np.random.default_rng(0))

"""Albu, with a stand-in for Albumentations, which the tests do not need installed.

Of Albumentations 2.0.8 itself the same was tried: images and targets turn together, two
flips are drawn apart from each other, and a seed repeats them.
"""

import sys
import types

import numpy as np
import pytest

from input_pipeline.errors import DataError
from input_pipeline.transforms import Albu


class HorizontalFlip:
    def __init__(self, p=0.5):
        if not 0 <= p <= 1:
            raise ValueError("p must be in [0, 1]")
        self.p = p

    def __call__(self, rng, arrays):
        if rng.random() >= self.p:
            return arrays
        return {key: array[:, ::-1] for key, array in arrays.items()}


class Brighter:
    def __call__(self, rng, arrays):
        return {k: v + 5 if k.startswith("im") else v for k, v in arrays.items()}


class Sequential:
    def __init__(self, transforms):
        self.transforms = transforms

    def __call__(self, rng, arrays):
        for transform in self.transforms:
            arrays = transform(rng, arrays)
        return arrays


class Compose(Sequential):
    def __init__(self, transforms, additional_targets):
        super().__init__(transforms)
        self.known = {"image", "mask", *additional_targets}

    def set_random_state(self, random_generator, py_random):
        self.rng = py_random

    def __call__(self, **arrays):
        assert arrays.keys() <= self.known
        return super().__call__(self.rng, arrays)


@pytest.fixture
def library(monkeypatch):
    module = types.ModuleType("albumentations")
    for entry in (HorizontalFlip, Brighter, Sequential, Compose):
        setattr(module, entry.__name__, entry)
    module.__version__ = "2.0.8"
    monkeypatch.setitem(sys.modules, "albumentations", module)


def sample(**more):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 200, (6, 8, 3), np.uint8)
    label = rng.integers(0, 3, (6, 8), np.uint8)
    return {"img_path": "a.png", "img": image, "gt_seg_map": label} | more


ENTRIES = (
    dict(
        type="Sequential",
        transforms=[dict(type="HorizontalFlip", p=1.0), dict(type="Brighter")],
    ),
)


def test_images_and_targets(library):
    second = np.zeros((6, 8, 3), np.uint8)
    given = sample(img2=second, gt_depth_map=np.ones((6, 8), np.float32))
    found = Albu(ENTRIES)(given, np.random.default_rng(0))
    np.testing.assert_array_equal(found["img"], given["img"][:, ::-1] + 5)
    np.testing.assert_array_equal(found["gt_seg_map"], given["gt_seg_map"][:, ::-1])
    assert (found["img2"] == 5).all() and (found["gt_depth_map"] == 1).all()
    assert found["img_shape"] == (6, 8) and found["img_path"] == "a.png"


def test_draws_are_the_sample_s(library):
    flip = Albu((dict(type="HorizontalFlip"),))
    given = sample()
    runs = [
        [flip(given, np.random.default_rng(seed))["img"] for seed in range(20)]
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*runs)
    flipped = [(image != given["img"]).any() for image in runs[0]]
    assert 3 < sum(flipped) < 17


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "albumentations", None)
    with pytest.raises(DataError, match=r"pip install 'jaxseg\[albu\]'"):
        Albu((dict(type="Other"),))(sample(), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (dict(type="NoSuch"), "type='NoSuch' is no class of Albumentations 2.0.8"),
        (dict(p=1.0), "type=None is no class"),
        (dict(type="HorizontalFlip", p=3), "HorizontalFlip: p must be in"),
        (dict(type="HorizontalFlip", q=3), "HorizontalFlip: .*unexpected keyword"),
    ],
)
def test_wrong_entries(library, entry, message):
    with pytest.raises(DataError, match=message):
        Albu((entry,))(sample(), np.random.default_rng(0))


def test_other_images_and_keys(library):
    wide = sample(img=np.zeros((6, 8, 3), np.float32))
    with pytest.raises(
        DataError, match="a.png: Albu takes uint8.* img is float32 of 3"
    ):
        Albu(ENTRIES)(wide, np.random.default_rng(0))
    with pytest.raises(DataError, match="Albu.keymap is {'img': 'x'}, allowed"):
        Albu(ENTRIES, keymap={"img": "x"})

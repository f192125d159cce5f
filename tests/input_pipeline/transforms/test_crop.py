"""Random crops."""

import numpy as np
import pytest

from input_pipeline.errors import DataError
from input_pipeline.transforms import RandomCrop
from input_pipeline.transforms.crop import is_dominated, largest_share


def place(results):
    """(top, left) of a crop from `picture`, whose colours tell where they were."""
    red, green, _ = results["img"][0, 0]
    return int(red) // 4, int(green) // 3


def test_largest_share_by_hand():
    ids = np.array([[0, 0, 0, 1], [255, 255, 255, 255]], np.uint8)
    assert largest_share(ids, ignore_index=255) == 0.75
    assert largest_share(ids, ignore_index=0) == 0.8
    assert largest_share(ids.astype(np.uint16), ignore_index=255) == 0.75
    assert largest_share(ids[:, :3], ignore_index=255) == 1.0  # one class alone
    assert largest_share(ids[1:], ignore_index=255) == 1.0  # none


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_dominated_is_what_the_largest_share_says(dtype):
    rng = np.random.default_rng(0)
    found = set()
    for _ in range(500):
        ids = rng.choice([0, 1, 2, 19, 254, 255], rng.integers(1, 7), replace=False)
        shares = rng.dirichlet(np.full(len(ids), rng.uniform(0.05, 2)))
        label = rng.choice(ids, rng.integers(1, 60, 2), p=shares).astype(dtype)
        ignored, ratio = int(rng.choice([0, 255])), float(rng.choice([0.3, 0.75, 0.9]))
        expected = largest_share(label, ignored) >= ratio
        assert is_dominated(label, ignored, ratio) == expected
        found.add(bool(expected))
    assert found == {True, False}
    assert is_dominated(np.full((9, 9), 255, dtype), 255, 0.75)  # nothing counts


def test_smaller_images_are_taken_whole(picture, label):
    results = {"img": picture, "gt_seg_map": label}
    cropped = RandomCrop((100, 70))(results, np.random.default_rng(0))
    assert cropped["img"].shape == (60, 70, 3)
    assert cropped["img_shape"] == cropped["gt_seg_map"].shape == (60, 70)


def test_every_place_can_come(picture):
    rng = np.random.default_rng(0)
    places = {place(RandomCrop((58, 79))({"img": picture}, rng)) for _ in range(100)}
    assert places == {(top, left) for top in range(3) for left in range(2)}


def test_label_of_another_size_and_no_label(picture, label):
    results = {"img": picture, "gt_seg_map": label[:, :70], "img_path": "a.jpg"}
    with pytest.raises(DataError, match="a.jpg.*60x80.*60x70.*LoadAnnotations"):
        RandomCrop(24)(results, None)
    with pytest.raises(DataError, match="cat_max_ratio=0.75 needs a label"):
        RandomCrop(24, cat_max_ratio=0.75)({"img": picture}, None)

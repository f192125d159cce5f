"""Random flips."""

import numpy as np
import pytest

from input_pipeline.transforms import RandomFlip
from input_pipeline.transforms.flip import flip


@pytest.mark.parametrize(
    "direction, mirrored",
    [
        ("horizontal", np.s_[:, ::-1]),
        ("vertical", np.s_[::-1]),
        ("diagonal", np.s_[::-1, ::-1]),
    ],
)
@pytest.mark.parametrize("channels", [1, 3, 7])
def test_flip(direction, mirrored, channels):
    img = np.arange(4 * 5 * channels, dtype=np.uint16).reshape(4, 5, channels)
    np.testing.assert_array_equal(flip(img, direction), img[mirrored])


def test_image_and_label_flip_together(picture, label):
    results = {"img": picture, "gt_seg_map": label}
    flipped = RandomFlip(1.0)(results, np.random.default_rng(0))
    np.testing.assert_array_equal(flipped["img"], picture[:, ::-1])
    np.testing.assert_array_equal(flipped["gt_seg_map"], label[:, ::-1])
    assert flipped["flip"] and flipped["flip_direction"] == "horizontal"
    kept = RandomFlip(0.0)(results, np.random.default_rng(0))
    assert kept["img"] is picture and not kept["flip"]


def test_one_probability_a_direction():
    transform = RandomFlip((0.2, 0.7), ("horizontal", "vertical"))
    rng = np.random.default_rng(0)
    drawn = [transform.draw(rng) for _ in range(2000)]
    assert drawn.count("horizontal") == pytest.approx(400, abs=60)
    assert drawn.count("vertical") == pytest.approx(1400, abs=60)


def test_impossible_settings():
    with pytest.raises(ValueError, match="'sideways'.*horizontal"):
        RandomFlip(0.5, "sideways")
    with pytest.raises(ValueError, match="prob is 1.5"):
        RandomFlip(1.5)
    with pytest.raises(ValueError, match="one a direction"):
        RandomFlip((0.5, 0.2), ("horizontal",))

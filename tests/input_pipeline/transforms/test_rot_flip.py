"""Rotation or quarter turns; mmseg's values are in test_mmseg_examples.py."""

import numpy as np
import pytest

from input_pipeline.transforms import RandomRotFlip
from tests.input_pipeline.transforms.recorded_draws import RecordedDraws


def test_a_quarter_turn_exchanges_the_sides_of_every_map(picture, label):
    record = {"img": picture, "gt_seg_map": label, "gt_edge_map": label + 1}
    record |= {"img_shape": (60, 80)}
    drawn = [("random", [], 0.9), ("random", [], 0.1)]
    drawn += [("integers", [0, 4], 1), ("integers", [0, 2], 0)]
    found = RandomRotFlip()(record, RecordedDraws(drawn))
    assert found["img_shape"] == (80, 60)
    # A turn against the clock and a flip of the rows are a transposition.
    np.testing.assert_array_equal(found["img"], picture.transpose(1, 0, 2))
    np.testing.assert_array_equal(found["gt_seg_map"], label.T)
    np.testing.assert_array_equal(found["gt_edge_map"], label.T + 1)


def test_ids_are_not_interpolated(picture, label):
    record = {"img": picture, "gt_seg_map": label}
    transform = RandomRotFlip(rotate_prob=1.0, degree=(30.0, 30.0))
    found = transform(record, np.random.default_rng(0))
    assert set(np.unique(found["gt_seg_map"])) == {0, 1, 255}
    assert found["gt_seg_map"][0, 0] == 0 and not found["img"][0, 0].any()


def test_sizes_before_anything_is_drawn():
    assert RandomRotFlip().output_size((80, 60)) is None
    assert RandomRotFlip().smallest_size((80, 60)) == (80, 60)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"rotate_prob": 2}, r"rotate_prob is 2; it must be in \[0, 1\]"),
        ({"flip_prob": -1}, "flip_prob is -1"),
        ({"degree": 0}, "degree is 0; it must be an angle above 0, or two"),
        ({"degree": (1, 2, 3)}, r"degree is \(1, 2, 3\)"),
    ],
)
def test_fields_that_do_not_fit(fields, message):
    with pytest.raises(ValueError, match=f"RandomRotFlip.{message}"):
        RandomRotFlip(**fields)

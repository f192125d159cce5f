import numpy as np
import pytest

from jaxseg.backbones.twins import PCPVT, SVT, _keys_of_padding
from jaxseg.errors import FieldError


@pytest.mark.parametrize("size", [(6, 6), (6, 5), (5, 6)])
def test_pixels_see_the_padding_of_one_side(size):
    assert _keys_of_padding(size, 3) is None


def test_padding_of_two_sides_is_apart():
    seen = np.asarray(_keys_of_padding((4, 5), 3))
    assert seen.shape == (1, 4, 9, 9)
    assert seen[0, 0].all()
    # Of the lower right window the first row has two pixels, and the others none.
    image = np.array([True, True, False, *[False] * 6])
    np.testing.assert_array_equal(seen[0, 3], image[:, None] == image)


def test_every_other_block_has_windows():
    net = SVT(depths=(2, 3, 1))
    sides = [
        [net._window_size(s, b) for b in range(d)] for s, d in enumerate((2, 3, 1))
    ]
    assert sides == [[7, None], [7, None, 7], [7]]


@pytest.mark.parametrize(
    ("net", "fields", "message"),
    [
        (PCPVT, dict(sr_ratios=(8, 4)), r"sr_ratios is \(8, 4\): it needs a number"),
        (SVT, dict(windiow_sizes=(7,)), r"windiow_sizes is \(7,\): it needs a number"),
        (SVT, dict(out_indices=(3,)), r"out_indices is \(3,\), allowed: 0 to 2"),
    ],
)
def test_lists_have_a_number_for_each_stage(net, fields, message):
    with pytest.raises(FieldError, match=message):
        net(**fields)

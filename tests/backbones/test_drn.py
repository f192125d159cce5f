"""DRN's checks of its fields, and its table."""

import pytest

from jaxseg.errors import FieldError
from tests.models.cases import build


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(arch="A"), "arch is 'A', allowed: C, D"),
        (dict(depth=54), "depth is 54, allowed with arch='C': 26, 42, 58"),
        (dict(channels=(4,) * 7), "allowed: 8 numbers"),
    ],
)
def test_what_does_not_fit_together(changes, words):
    with pytest.raises(FieldError, match=words):
        build("DRN").clone(**changes)


def test_weights_that_nothing_is_added_to_are_left_out():
    given = {
        "layer7.0.downsample.0.weight": 1,
        "layer7.0.conv1.weight": 2,
        "fc.bias": 3,
    }
    kept, left_out = build("DRN").key_table.select(given, {"layer7.0.conv1.weight"})
    assert kept == {"layer7.0.conv1.weight": 2} and len(left_out) == 2

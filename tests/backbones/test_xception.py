"""Xception's checks of its fields."""

import pytest

from jaxseg.errors import FieldError
from tests.models.cases import build


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(output_stride=32), "is 32, allowed: 8 and 16"),
        (dict(channels=(4,) * 8), "allowed: nine numbers"),
    ],
)
def test_what_does_not_fit_together(changes, words):
    with pytest.raises(FieldError, match=words):
        build("AlignedXception").clone(**changes)

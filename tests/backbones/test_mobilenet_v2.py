"""MobileNetV2's fields and tables beyond mmseg's."""

import pytest

from jaxseg.errors import FieldError
from tests.models.cases import build


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            dict(dilations=(1, 1, (1, 2), 1, 1, 1, 1)),
            r"dilations.2 is \(1, 2\), .* 3 bl",
        ),
        (dict(early_indices=(2,)), r"early_indices is \(2,\), .* out_indices=\(1, 6\)"),
    ],
)
def test_what_does_not_fit_together(changes, words):
    with pytest.raises(FieldError, match=words):
        build("MobileNetV2").clone(**changes)


def test_one_name_means_another_layer_in_a_flat_layout():
    table = build("MobileNetV2").key_table
    flat = {
        "features.0.1.weight": 1,
        "features.1.conv.1.weight": 2,
        "features.1.conv.3.weight": 3,
        "features.2.conv.3.weight": 4,
        "features.2.conv.7.weight": 5,
    }
    assert table.select(flat, ())[0] == {
        "conv1.bn.weight": 1,
        "layer1.0.conv.0.bn.weight": 2,
        "layer1.0.conv.1.conv.weight": 3,
        "layer2.0.conv.1.conv.weight": 4,
        "layer2.0.conv.2.bn.weight": 5,
    }
    torchvision = {"features.1.conv.1.weight": 1, "features.2.conv.3.weight": 2}
    assert table.select(torchvision, ())[0] == {
        "layer1.0.conv.1.conv.weight": 1,
        "layer2.0.conv.2.bn.weight": 2,
    }

"""Maps that a backbone does not have are refused, whatever the backbone."""

import pytest

from jaxseg.backbones import (
    MAE,
    BEiT,
    FastSCNN,
    ResNet,
    SwinTransformer,
    VisionTransformer,
)
from jaxseg.config import ConfigError
from jaxseg.resolve import resolve


@pytest.mark.parametrize(
    ("cls", "wrong", "allowed"),
    [
        (VisionTransformer, (3, 12), "0 to 11"),
        (VisionTransformer, -13, "0 to 11"),
        (BEiT, 12, "0 to 11"),
        (MAE, (12,), "0 to 11"),
        (SwinTransformer, (0, 4), "0 to 3"),
        (ResNet, (4,), "0 to 3"),
        (FastSCNN, (3,), "0 to 2"),
    ],
)
def test_maps_that_are_not_there_are_refused_with_the_path(cls, wrong, allowed):
    config = {"type": cls.__name__, "out_indices": wrong}
    config |= {"depth": 50} if cls is ResNet else {}
    message = (
        rf"model.backbone.out_indices: is .*, allowed: {allowed}, and from the end"
    )
    with pytest.raises(ConfigError, match=message):
        resolve(config, "model.backbone")

"""VAN and MSCAN as their configs name them."""

import re

import pytest

from jaxseg.backbones import MSCAN, VAN
from jaxseg.errors import FieldError
from jaxseg.mmseg_config.model import translate_model
from jaxseg.mmseg_config.report import Report
from jaxseg.resolve import resolve


@pytest.mark.parametrize(
    ("size", "depths", "width"),
    [
        ("van_tiny", (3, 3, 5, 2), 256),
        ("van_small", (2, 2, 4, 2), 512),
        ("van_base", (3, 3, 12, 3), 512),
        ("van_large", (3, 5, 27, 3), 512),
    ],
)
def test_the_first_release_has_a_class_for_each_size(size, depths, width):
    """Of VAN-Segmentation's configs/sem_fpn/VAN, for mmseg 0.x."""
    raw = dict(
        model=dict(
            type="EncoderDecoder",
            pretrained=None,
            backbone=dict(type=size, style="pytorch"),
        )
    )
    report = Report()
    config = translate_model(raw, report)["backbone"]
    assert not report.missing
    backbone = resolve(config, "model.backbone")
    assert isinstance(backbone, VAN)
    assert (backbone.depths, backbone.embed_dims[-1]) == (depths, width)
    assert (backbone.mlp_ratios, backbone.drop_path_rate) == ((8, 8, 4, 4), 0.1)
    assert backbone.stage_norm_eps == 1e-6


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: VAN(depths=(1, 1)),
            "depths: has 2 entries; num_stages=4 takes 4",
        ),
        (
            lambda: MSCAN(attention_kernel_paddings=(1, (0, 3), (0, 5), (0, 10))),
            "attention_kernel_paddings: is (1, (0, 3), (0, 5), (0, 10)); of",
        ),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(FieldError, match=re.escape(message)):
        make()

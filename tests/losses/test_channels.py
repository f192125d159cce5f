"""Losses that cannot train a head's logits are refused with the head."""

import pytest

from jaxseg.config import ConfigError
from jaxseg.resolve import resolve

ONE = dict(num_classes=2, out_channels=1)


@pytest.mark.parametrize(
    ("loss", "head", "message"),
    [
        (
            dict(type="CrossEntropyLoss"),
            ONE,
            "softmax of one channel.*use_sigmoid=True",
        ),
        # One class alone.
        (dict(type="CrossEntropyLoss"), dict(num_classes=1), "softmax of one channel"),
        (dict(type="OhemCrossEntropy"), ONE, "softmax of one channel"),
        (dict(type="TverskyLoss"), ONE, "softmax of one channel"),
        (dict(type="LovaszLoss", per_image=True), ONE, "binary takes one"),
        (
            dict(type="LovaszLoss", per_image=True, loss_type="binary"),
            dict(num_classes=3),
            "multi_class several",
        ),
        (
            dict(type="LovaszLoss", per_image=True, classes=[0, 3]),
            dict(num_classes=3),
            "classes has 3, the logits have 3 channels",
        ),
        (dict(type="HuasdorffDisstanceLoss"), ONE, "background and at least one class"),
        (dict(type="BoundaryLoss"), dict(num_classes=3), "one channel, found 3"),
        (dict(type="SiLogLoss"), dict(num_classes=3), "one channel, .*found 3"),
        (
            dict(type="CrossEntropyLoss", class_weight=[1.0, 2.0]),
            dict(num_classes=3),
            "class_weight of loss_ce has 2 entries, the logits have 3 channels",
        ),
        (
            dict(type="FocalLoss", alpha=[0.1, 0.2]),
            dict(num_classes=3),
            "alpha of loss_focal has 2 entries",
        ),
    ],
)
def test_refused_by_the_head(loss, head, message):
    config = dict(type="FCNHead", in_channels=4, channels=4, loss_decode=loss) | head
    with pytest.raises(ConfigError, match=f"^head.loss_decode: .*{message}"):
        resolve(config, "head")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(type="LovaszLoss"), "reduction: found 'mean', without per_image"),
        (dict(type="LovaszLoss", loss_type="hinge"), "loss_type: found 'hinge'"),
        (dict(type="LovaszLoss", classes="some"), "classes: found 'some'"),
        (dict(type="CrossEntropyLoss", reduction="max"), "reduction: found 'max'"),
        (dict(type="TverskyLoss", alpha=0.5), "alpha: 0.5 and beta: 0.7"),
        (dict(type="KLDivLoss", temperature=0.0), "temperature: found 0"),
        (dict(type="FocalLoss", use_sigmoid=False), "use_sigmoid: found False"),
        (dict(type="HuasdorffDisstanceLoss", ignore_index=1), "ignore_index: found 1"),
    ],
)
def test_options_that_mmseg_has_no_meaning_for(options, message):
    with pytest.raises(ConfigError, match=f"^loss.{message}"):
        resolve(options, "loss")

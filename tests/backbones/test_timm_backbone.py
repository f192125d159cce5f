"""TIMMBackbone computes timm's features with weights under timm's keys."""

import json
import pathlib
import re

import jax
import numpy as np
import pytest

from jaxseg.backbones import TIMMBackbone
from jaxseg.backbones.timm_architectures import ARCHITECTURES
from jaxseg.errors import FieldError
from jaxseg.mmseg_config.model import translate_model
from jaxseg.mmseg_config.report import Report
from jaxseg.testing.reference import fill, image
from jaxseg.weights.download import DownloadError
from jaxseg.weights.layout import to_mmseg, to_model
from jaxseg.weights.pretrained import Pretrained
from jaxseg.weights.state_dict import from_state_dict, to_state_dict
from jaxseg.weights.zoo import url_of
from tests.backbones.timm_cases import CASES, SEED

TIMM = np.load(pathlib.Path(__file__).with_name("timm_features.npz"))

# Quick cases, of three families; the others take half a minute of a core together.
QUICK = {"resnet18d", "mobilenetv2_035", "vit_tiny"}
OF_A_FAMILY = [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.long)
    for name in CASES
]


def stored(name):
    """timm's state dict without what it counts, filled by the recipe."""
    shapes = json.loads(str(TIMM[f"{name}/shapes"]))
    return {
        key: fill(key, tuple(shape), SEED)
        for key, shape in shapes.items()
        if not key.endswith("num_batches_tracked")
    }


def build(name):
    config, side = CASES[name]
    return TIMMBackbone(pretrained=False, **config), image(1, (side, side), SEED)


def variables_of(net, img, weights):
    shapes = jax.eval_shape(lambda: net.init(jax.random.key(0), img, False))
    return from_state_dict(to_model(weights, net), shapes)


@pytest.mark.parametrize("name", OF_A_FAMILY)
def test_features_are_those_of_timm(name):
    net, img = build(name)
    with jax.enable_x64(True):
        variables = jax.tree.map(
            np.float64, variables_of(net, img.astype(np.float64), stored(name))
        )
        features = jax.jit(lambda v, x: net.apply(v, x, False))(
            variables, img.astype(np.float64)
        )
        kept = [key for key in TIMM.files if key.startswith(f"{name}/")]
        assert len(features) == sum(key.endswith("/value") for key in kept)
        for i, feature in enumerate(features):
            assert feature.shape == tuple(TIMM[f"{name}/{i}/shape"])
            index, value = (TIMM[f"{name}/{i}/{entry}"] for entry in ("index", "value"))
            found = np.ravel(feature)[index]
            scale = np.abs(value).max()
            np.testing.assert_allclose(found, value, rtol=0, atol=1e-6 * scale)


@pytest.mark.parametrize("name", OF_A_FAMILY)
def test_a_state_dict_goes_in_and_out(name):
    net, img = build(name)
    weights = stored(name)
    back = to_mmseg(to_state_dict(variables_of(net, img, weights)), net, {}, 0)
    shapes = json.loads(str(TIMM[f"{name}/shapes"]))
    assert {key: list(np.shape(array)) for key, array in back.items()} == shapes
    for key, array in weights.items():
        np.testing.assert_array_equal(back[key], array)


def test_names_with_and_without_a_tag():
    assert len(ARCHITECTURES) == 59
    plain, tagged = (
        TIMMBackbone(model_name=name, pretrained=False)
        for name in ("resnet50", "resnet50.tv_in1k")
    )
    assert plain.architecture is tagged.architecture
    with pytest.raises(FieldError, match=r"'resnest50d' \(did you mean .*; of timm's "):
        TIMMBackbone(model_name="resnest50d")


def test_timms_weights_are_what_it_starts_from():
    net = TIMMBackbone(model_name="resnet50d")
    assert net.init_cfg == Pretrained("timm://resnet50d")
    assert net.clone().init_cfg == net.init_cfg
    assert url_of(net.init_cfg.checkpoint).endswith("/resnet50d_ra2-464e36ba.pth")
    assert url_of("timm://resnet50.tv_in1k") == url_of("torchvision://resnet50")
    # Its default has no file with a digest in its name.
    with pytest.raises(DownloadError, match="timm://vit_base_patch16_224 is not known"):
        url_of("timm://vit_base_patch16_224")
    given = TIMMBackbone(model_name="resnet50d", checkpoint_path="a.pth")
    assert given.init_cfg == Pretrained("a.pth")
    assert TIMMBackbone(model_name="resnet50d", pretrained=False).init_cfg is None
    with pytest.raises(FieldError, match=r"init_cfg: names b\.pth, and pretrained"):
        TIMMBackbone(model_name="resnet50d", init_cfg=Pretrained("b.pth"))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (dict(features_only=False), "features_only is False, allowed: True"),
        (dict(output_stride=8), "output_stride is 8; of resnet18 jaxseg has 32"),
        (
            dict(model_name="vit_tiny_patch16_224", output_stride=16),
            "of vit_tiny_patch16_224 jaxseg has none",
        ),
        (dict(img_size=64), "resnet18 has no position table: leave it out"),
        (dict(norm_layer="GN"), "norm_layer is 'GN', allowed for resnet18: BN, "),
        (dict(out_indices=(0, 5)), "resnet18 has 5 features, 0 to 4"),
        (dict(out_indices=()), "resnet18 has 5 features, 0 to 4"),
    ],
)
def test_what_it_does_not_have(config, message):
    config = dict(model_name="resnet18", pretrained=False) | config
    with pytest.raises(FieldError, match=re.escape(message)):
        TIMMBackbone(**config)


def test_mmsegs_config_keeps_pretrained():
    backbone = dict(type="TIMMBackbone", model_name="resnet18", pretrained=True)
    head = dict(type="FCNHead", in_channels=512, channels=8, num_classes=2)
    raw = dict(model=dict(type="EncoderDecoder", backbone=backbone, decode_head=head))
    report = Report()
    model = translate_model(raw, report)
    assert not report.missing
    assert model["backbone"] == backbone and "pretrained" not in model

"""ResNet's plugins, deformable convolutions and other kinds of convolution.

resnet_options.npz has what mmseg 1.2.2's backbones gave in float64 (with torchvision's
compiled deformable convolution inside), with weights by the reference cases' recipe.
"""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.backbones import ResNet, ResNetV1c
from jaxseg.config import ConfigError
from jaxseg.resolve import resolve
from jaxseg.segmentors.opt_in import part_without
from jaxseg.testing.reference import fill
from jaxseg.weights.state_dict import from_state_dict, to_state_dict, torch_shapes

STORED = np.load(pathlib.Path(__file__).with_name("resnet_options.npz"))
CONTEXT = dict(type="ContextBlock", ratio=0.25)


def drawn(seed, shape):
    """(N, C, H, W) normal values, channels last."""
    values = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return jnp.asarray(values.astype(np.float64).transpose(0, 2, 3, 1))


def mean_product(y, seed):
    return (y * drawn(seed, (y.shape[0], y.shape[3], *y.shape[1:3]))).mean()


@pytest.mark.parametrize(
    "name",
    [
        "ResNet",
        *(
            pytest.param(name, marks=pytest.mark.long)
            for name in ("ResNetV1d", "ResNeXt", "ResNeSt")
        ),
    ],
)
def test_equals_mmseg(name):
    module = resolve(json.loads(str(STORED[f"{name}/config"])), "model.backbone")
    with jax.enable_x64(True):
        x = drawn(1, (2, 3, 26, 21))
        start = jax.eval_shape(lambda: module.init(jax.random.key(0), x, False))
        shapes = torch_shapes(start)
        assert set(shapes) == set(json.loads(str(STORED[f"{name}/keys"])))
        state = {k: fill(k, s, 0).astype(np.float64) for k, s in shapes.items()}
        variables = from_state_dict(state, start)

        @jax.jit
        def step(params, x):
            def total(params, x):
                maps, _ = module.apply(
                    variables | {"params": params}, x, True, mutable=["batch_stats"]
                )
                return sum(mean_product(y, 3 + i) for i, y in enumerate(maps)), maps

            return jax.grad(total, (0, 1), has_aux=True)(params, x)

        (of_params, of_x), maps = step(variables["params"], x)
    for i, y in enumerate(maps):
        np.testing.assert_allclose(y, STORED[f"{name}/y{i}"], rtol=0, atol=1e-9)
    expected = STORED[f"{name}/of_x"]
    bound = 1e-8 * np.abs(expected).max()
    np.testing.assert_allclose(of_x, expected, rtol=0, atol=bound)
    gradients = to_state_dict({"params": of_params})
    expected = STORED[f"{name}/gradients"]
    for key, (norm, first) in zip(
        json.loads(str(STORED[f"{name}/names"])), expected, strict=True
    ):
        bound = 1e-8 * max(norm, expected[:, 0].max() * 1e-3)
        assert abs(np.linalg.norm(gradients[key]) - norm) <= bound, key
        assert abs(gradients[key].flat[0] - first) <= bound, key


def build(**changes):
    two = dict(num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(0, 1))
    config = dict(type="ResNet", depth=50, base_channels=4, stem_channels=6, **two)
    return resolve(config | changes, "model.backbone")


def plugin(**changes):
    return dict(cfg=CONTEXT, position="after_conv3") | changes


DCN = dict(dcn=dict(type="DCN"), stage_with_dcn=[False, True])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            dict(plugins=[plugin(position="after_conv4")]),
            r"plugins\.0\.position: expected .*'after_conv3'.*, found 'after_conv4'",
        ),
        (
            dict(plugins=[plugin(), plugin(stages=[True])]),
            r"plugins: the stages of plugin 1 are \(True,\), allowed: None, or one entry",
        ),
        (
            dict(plugins=[plugin(cfg=dict(type="ContextBlok"))]),
            r"plugins\.0\.cfg\.type: .*did you mean 'ContextBlock'",
        ),
        (dict(plugins=[plugin(cfg=dict(type="DCN"))]), "DCN is no Plugin; allowed are"),
        (
            dict(plugins=[plugin(), plugin()]),
            "plugins: context_block is twice in the blocks of stage 1; a postfix",
        ),
        (dict(plugins=[], depth=18), "plugins: a ResNet of depth 18 has basic blocks"),
        (DCN | dict(depth=18), "dcn: a ResNet of depth 18 has basic blocks"),
        (
            DCN | dict(stage_with_dcn=[True]),
            r"stage_with_dcn: is \(True,\), allowed: one entry for each of num_stages=2",
        ),
        (DCN | dict(dcn=dict(type="ConvWS")), r"dcn\.type: ConvWS is no Deformable; "),
        (DCN | dict(conv_cfg=dict(type="ConvWS")), "conv_cfg: with dcn in some stages"),
        (DCN | dict(dcn=dict(type="DCNv2", deform_groups=0)), "deform_groups is 0"),
        (
            dict(conv_cfg=dict(type="DCN", fallback_on_stride=True)),
            "conv_cfg: fallback_on_stride is a key of dcn alone",
        ),
        (dict(conv_cfg=dict(type="ConvW")), r"conv_cfg\.type: .*mean 'ConvWS'"),
    ],
)
def test_what_is_refused(changes, message):
    with pytest.raises(ConfigError, match=rf"^model\.backbone.*{message}"):
        build(**changes)


def test_which_part_takes_no_bands_or_no_padding():
    deformable = build(**DCN, plugins=[plugin()])
    assert part_without(deformable, "takes_padding") is None
    assert part_without(deformable, "takes_bands") == "model.dcn (DCN)"
    attention = build(plugins=[plugin(cfg=dict(type="GeneralizedAttention"))])
    found = part_without(attention, "takes_padding")
    assert found == "model.plugins.0.cfg (GeneralizedAttention)"


def test_the_offsets_start_at_nothing():
    module, x = build(**DCN), jnp.zeros((1, 16, 16, 3))
    params = jax.jit(module.init, static_argnums=2)(jax.random.key(0), x, False)
    offset = params["params"]["layer2.0"]["conv2"]["conv_offset"]
    assert not np.any(offset["kernel"]) and not np.any(offset["bias"])


STEM_NORMS = ("stem.1.weight", "stem.4.weight", "stem.7.weight")


def test_csails_stem():
    theirs = {
        f"{kind}{i}.weight": f"{kind}{i}" for i in (1, 2, 3) for kind in ("bn", "conv")
    }
    theirs |= {"layer1.0.conv3.weight": "block"}
    kept, _ = ResNetV1c.key_table.select(theirs, STEM_NORMS)
    assert kept == {
        "stem.0.weight": "conv1",
        "stem.1.weight": "bn1",
        "stem.3.weight": "conv2",
        "stem.4.weight": "bn2",
        "stem.6.weight": "conv3",
        "stem.7.weight": "bn3",
        "layer1.0.conv3.weight": "block",
    }


def test_timms_stem_and_none():
    theirs = {"conv1.0.weight": 1, "bn1.weight": 2, "layer1.0.conv3.weight": 3}
    kept, _ = ResNetV1c.key_table.select(theirs, STEM_NORMS)
    assert kept.keys() == {"stem.0.weight", "stem.7.weight", "layer1.0.conv3.weight"}
    plain = {"conv1.weight": 1, "bn1.weight": 2}
    assert ResNet.key_table.select(plain, plain.keys())[0] == plain

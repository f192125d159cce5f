"""`pretrained`: published weights in the backbone of a fresh model.

starting_weights.npz has the keys of torchvision, timm and mmpretrain, and position
tables by mmseg; make_starting_weights.py made it.
"""

import functools
import json
import logging
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.backbones import (
    HRNet,
    MobileNetV2,
    ResNet,
    ResNetV1c,
    ResNetV1d,
    STDCContextPathNet,
    STDCNet,
    UNet,
    VisionTransformer,
)
from jaxseg.backbones.stdc import FeatureFusion
from jaxseg.checkpoint.store import Checkpoints
from jaxseg.config import ConfigError
from jaxseg.layers.activation import ReLU
from jaxseg.layers.norm import BN
from jaxseg.load_config import load_config
from jaxseg.resolve import resolve_model
from jaxseg.segmentors import EncoderDecoder
from jaxseg.train.run import Run
from jaxseg.weights.files.weights_file import write_weights
from jaxseg.weights.load import LoadError
from jaxseg.weights.load_pretrained import load_pretrained
from jaxseg.weights.pretrained import Pretrained
from jaxseg.weights.starting_weights import (
    find_starting_weights,
    pretrained_parts,
    starting_weights,
)
from jaxseg.weights.state_dict import to_state_dict, torch_shapes

STORED = np.load(pathlib.Path(__file__).with_name("starting_weights.npz"))
NAMES = json.loads(STORED["names"].tobytes())
ORIGINS = NAMES["origins"]
TINY = pathlib.Path(__file__).parents[1] / "tiny.py"

Vit = functools.partial(
    VisionTransformer,
    img_size=32,
    patch_size=8,
    embed_dims=16,
    num_layers=2,
    num_heads=2,
    patch_bias=True,
)


def stdc(stdc_type, bottleneck_type="cat"):
    return STDCNet(
        stdc_type=stdc_type,
        channels=(4, 6, 8, 16, 32),
        bottleneck_type=bottleneck_type,
        norm_cfg=BN(),
        act_cfg=ReLU(),
    )


def fresh(backbone):
    """Shapes of a segmentor's variables, its head one weight that stays as it is."""
    images = jnp.zeros((1, 32, 32, backbone.in_channels))
    init = functools.partial(backbone.init, train=False)
    own = jax.eval_shape(init, jax.random.key(0), images)
    tree = {name: {"backbone": values} for name, values in own.items()}
    tree["params"]["decode_head"] = {"bias": np.full(3, 7.0, np.float32)}
    return tree


def shapes_of(backbone):
    tree = {name: values["backbone"] for name, values in fresh(backbone).items()}
    return torch_shapes(tree)


def write(path, shapes):
    """A file whose weights differ from each other."""
    draw = np.random.default_rng(0).standard_normal
    state_dict = {key: draw(shape, np.float32) for key, shape in shapes.items()}
    write_weights(path, state_dict, {})
    return state_dict


def load(pretrained, backbone, adapt=False):
    if isinstance(pretrained, pathlib.Path):
        pretrained = str(pretrained)
    if not isinstance(pretrained, Pretrained):
        pretrained = Pretrained(pretrained)
    model = EncoderDecoder(backbone, None)
    loaded = load_pretrained("backbone", pretrained, fresh(backbone), model, adapt)
    assert loaded["params"].pop("decode_head")["bias"].tolist() == [7.0] * 3
    loaded = {name: values["backbone"] for name, values in loaded.items()}
    return to_state_dict(loaded)


@pytest.mark.parametrize(
    "origin, backbone, unused",
    [
        ("torchvision resnet18", ResNet(18), {"fc.weight", "fc.bias"}),
        ("timm resnet18d", ResNetV1d(18), {"fc.weight", "fc.bias"}),
        ("mmpretrain ResNet", ResNet(18), set()),
        ("mmpretrain ResNetV1c", ResNetV1c(18), set()),
        ("mmpretrain ResNetV1d", ResNetV1d(18), set()),
        (
            "timm vit",
            Vit(),
            {"norm.weight", "norm.bias", "head.weight", "head.bias"},
        ),
        ("timm vit", Vit(final_norm=True), {"head.weight", "head.bias"}),
        ("mmpretrain vit", Vit(), {"ln1.weight", "ln1.bias"}),
        ("mmpretrain vit", Vit(final_norm=True), set()),
    ],
)
def test_every_weight_of_a_published_file_has_its_place(origin, backbone, unused):
    shapes = {k: tuple(shape) for k, shape in ORIGINS[origin].items()}
    if origin.startswith("mmpretrain"):
        shapes = {
            key.removeprefix("backbone."): shape
            for key, shape in shapes.items()
            if key.startswith("backbone.")
        }
    wanted = shapes_of(backbone)
    kept, left_out = backbone.key_table.select(shapes, wanted)
    assert kept == wanted
    assert set(left_out) == unused


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("features.0.1.bias", "conv1.bn.bias"),
        ("features.1.conv.0.0.weight", "layer1.0.conv.0.conv.weight"),
        ("features.1.conv.1.weight", "layer1.0.conv.1.conv.weight"),
        ("features.1.conv.2.running_mean", "layer1.0.conv.1.bn.running_mean"),
        ("features.3.conv.1.1.weight", "layer2.1.conv.1.bn.weight"),
        ("features.11.conv.0.0.weight", "layer5.0.conv.0.conv.weight"),
        ("features.17.conv.2.weight", "layer7.0.conv.2.conv.weight"),
        ("features.17.conv.3.running_var", "layer7.0.conv.2.bn.running_var"),
    ],
)
def test_torchvision_counts_the_blocks_of_mobilenet_v2_through(theirs, ours):
    assert MobileNetV2.key_table.rename(theirs, ()) == ours


@pytest.mark.parametrize(
    ("stdc_type", "theirs", "ours"),
    [
        ("STDCNet1", "features.0.conv.weight", "stages.0.conv.weight"),
        (
            "STDCNet1",
            "features.4.conv_list.3.bn.bias",
            "stages.3.0.layers.3.bn.bias",
        ),
        (
            "STDCNet2",
            "features.4.conv_list.0.conv.weight",
            "stages.2.2.layers.0.conv.weight",
        ),
        (
            "STDCNet2",
            "features.11.avd_layer.0.weight",
            "stages.4.0.downsample.conv.weight",
        ),
        (
            "STDCNet1",
            "features.6.avd_layer.1.running_var",
            "stages.4.0.downsample.bn.running_var",
        ),
        ("STDCNet2", "conv_last.bn.weight", "final_conv.bn.weight"),
    ],
)
def test_the_authors_count_the_modules_of_stdc_through(stdc_type, theirs, ours):
    assert stdc(stdc_type).key_table.rename(theirs, ()) == ours


def test_a_backbone_inside_another(tmp_path, caplog):
    caplog.set_level(logging.INFO, "jaxseg")
    inner, path = stdc("STDCNet1"), tmp_path / "stdc1.pth"
    given = write(path, shapes_of(inner))
    outer = STDCContextPathNet(
        backbone_cfg=inner.clone(init_cfg=Pretrained(str(path))),
        last_in_channels=(32, 16),
        ffm_cfg=FeatureFusion(136, 4),
    )
    model, variables = EncoderDecoder(outer, None), fresh(outer)
    (key, entry), *others = pretrained_parts(model).items()
    assert not others
    loaded = load_pretrained(key, entry, variables, model)
    found = loaded["params"]["backbone"]["backbone"]["stages.3.1"]["layers.2"]["conv"]
    wanted = given["stages.3.1.layers.2.conv.weight"].transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(found["kernel"], wanted)
    assert "model.backbone.backbone_cfg: starts from" in caplog.text


def test_mmseg_has_a_convolution_of_stdc_twice():
    part = stdc("STDCNet1", "add")
    given = {
        "stages.2.0.layers.0.1.conv.weight": 1,
        "stages.2.1.layers.0.conv.weight": 2,
    }
    twice = given | {"stages.2.0.downsample.conv.weight": 1}
    assert part.key_table.convert(twice, part) == given
    assert part.key_table.convert_back(given, part) == twice


@pytest.mark.parametrize(
    ("backbone", "keys"),
    [
        (
            stdc("STDCNet1"),
            {"conv_last.conv.weight", "fc.weight", "bn.bias", "linear.weight"},
        ),
        (
            MobileNetV2,
            {"features.18.0.weight", "features.18.1.bias", "classifier.1.weight"}
            | {"conv2.conv.weight"},  # mmpretrain's name of the last convolution
        ),
        (
            HRNet,
            {"incre_modules.0.0.conv1.weight", "downsamp_modules.0.0.weight"}
            | {"final_layer.0.weight", "classifier.bias"},
        ),
    ],
)
def test_classifiers_are_left_out(backbone, keys):
    kept, left_out = backbone.key_table.select(dict.fromkeys(keys, 0), {"conv1.weight"})
    assert not kept and set(left_out) == keys


def test_timms_keys_become_those_of_mmsegs_converter():
    known = shapes_of(Vit())
    theirs = NAMES["vit2mmseg"]
    assert theirs["blocks.1.attn.qkv.bias"] == "layers.1.attn.attn.in_proj_bias"
    for key, converted in theirs.items():
        assert Vit().key_table.rename(key, known) == converted


def test_the_values_arrive(tmp_path, caplog):
    caplog.set_level(logging.INFO, "jaxseg")
    given = write(tmp_path / "a.pth", ORIGINS["timm vit"])
    loaded = load(tmp_path / "a.pth", Vit())
    for old, new in NAMES["vit2mmseg"].items():
        if not new.startswith("ln1."):
            np.testing.assert_array_equal(loaded.pop(new), given[old])
    assert not loaded
    assert "not used: norm.weight, norm.bias, head.weight, head.bias" in caplog.text
    assert not [r for r in caplog.records if r.levelno > logging.INFO]


def test_a_file_with_mmsegs_own_keys(tmp_path):
    # Those of the Segmenter weights, which vitjax2mmseg.py made: the same as here.
    shapes = {
        converted: ORIGINS["timm vit"][key]
        for key, converted in NAMES["vit2mmseg"].items()
    }
    given = write(tmp_path / "a.pth", shapes)
    loaded = load(tmp_path / "a.pth", Vit(final_norm=True))
    assert loaded.keys() == given.keys()
    np.testing.assert_array_equal(loaded["ln1.weight"], given["ln1.weight"])


def test_the_second_token_of_deit_is_left_out(tmp_path, caplog):
    caplog.set_level(logging.INFO, "jaxseg")
    given = write(tmp_path / "a.pth", ORIGINS["timm deit distilled"])
    loaded = load(tmp_path / "a.pth", Vit())
    assert given["pos_embed"].shape == (1, 18, 16)
    np.testing.assert_array_equal(
        loaded["pos_embed"], given["pos_embed"][:, [0, *range(2, 18)]]
    )
    assert "dist_token" in caplog.text and "head_dist.weight" in caplog.text


@pytest.mark.parametrize("prefix", ["backbone.", "module.backbone."])
def test_of_a_whole_model_the_backbone_is_taken(tmp_path, prefix):
    shapes = {prefix + key: shape for key, shape in ORIGINS["timm vit"].items()}
    shapes[prefix.replace("backbone", "decode_head") + "conv_seg.bias"] = (3,)
    given = write(tmp_path / "a.pth", shapes)
    loaded = load(tmp_path / "a.pth", Vit())
    np.testing.assert_array_equal(loaded["cls_token"], given[f"{prefix}cls_token"])


@pytest.mark.parametrize(
    ("start", "prefix"),
    [
        ("encoder.", "encoder."),
        ("encoder.", "encoder"),
        ("", ""),
        ("module.encoder.", "module.encoder."),
        ("module._orig_mod.encoder.", "module._orig_mod.encoder"),
        ("model.encoder.", None),
    ],
)
def test_weights_under_a_prefix(tmp_path, start, prefix):
    shapes = {start + key: shape for key, shape in ORIGINS["timm vit"].items()}
    given = write(tmp_path / "a.pth", shapes)
    pretrained = Pretrained(str(tmp_path / "a.pth"), prefix)
    loaded = load(pretrained, Vit())
    np.testing.assert_array_equal(loaded["cls_token"], given[f"{start}cls_token"])


def test_what_other_programs_count_is_passed_over(tmp_path):
    shapes = {**ORIGINS["timm vit"], "total_ops": (1,), "blocks.0.total_params": (1,)}
    given = write(tmp_path / "a.pth", shapes | {"n_averaged": ()})
    loaded = load(tmp_path / "a.pth", Vit())
    np.testing.assert_array_equal(loaded["cls_token"], given["cls_token"])


def test_a_run_gives_its_backbone(tmp_path):
    ones = jax.tree.map(lambda leaf: np.ones(leaf.shape, leaf.dtype), fresh(Vit()))
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        checkpoints.save(3, ones, config={})
        checkpoints.wait()
    assert load(tmp_path, Vit())["cls_token"].max() == 1.0


def test_load_from_comes_on_top_and_only_what_is_named_is_adapted():
    model = EncoderDecoder(Vit(), None, pretrained="no_such_file.pth")
    with pytest.raises(LoadError, match="no_such_file"):
        starting_weights({}, model, {})
    with pytest.raises(FileNotFoundError, match="no_such_run"):
        starting_weights({"load_from": "no_such_run"}, model, {})
    model = EncoderDecoder(Vit(), None)
    assert starting_weights({}, model, {"params": 1}) == {"params": 1}
    with pytest.raises(ConfigError, match="neither load_from nor model.pretrained"):
        starting_weights({"adapt_in_channels": True}, model, {})


def test_they_are_looked_for_before_the_run_begins_anything(tmp_path):
    for pretrained in ("none.pth", {"checkpoint": "none.pth"}):
        model = EncoderDecoder(Vit(), None, pretrained=pretrained)
        with pytest.raises(LoadError, match="none.pth: there is no such file"):
            find_starting_weights({}, model)
    with pytest.raises(FileNotFoundError, match="no_such_run"):
        find_starting_weights({"load_from": "no_such_run"}, model)
    find_starting_weights({"load_from": str(tmp_path)}, model)
    find_starting_weights({}, EncoderDecoder(Vit(), None))


@pytest.mark.parametrize(
    "pretrained", [3, {"prefix": "a."}, {"checkpoint": "a.pth", "prefx": "a."}]
)
def test_what_pretrained_may_be(pretrained):
    with pytest.raises(ValueError, match="pretrained is .* allowed: a name, URL or"):
        EncoderDecoder(None, None, pretrained=pretrained)


def test_a_prefix_that_no_key_has_is_an_error(tmp_path):
    write(tmp_path / "a.pth", {"model.x": (1,), "head.y": (1,)})
    pretrained = Pretrained(str(tmp_path / "a.pth"), "backbone.")
    with pytest.raises(LoadError, match=r"prefix 'backbone\.'.*begin with head, model"):
        load(pretrained, Vit())


def test_every_difference_is_in_one_error(tmp_path):
    shapes = dict(ORIGINS["timm vit"])
    del shapes["blocks.1.attn.qkv.bias"]
    shapes |= {"blocks.0.gamma": (16,), "blocks.0.mlp.fc1.bias": (1, 2)}
    write(tmp_path / "a.pth", shapes)
    with pytest.raises(LoadError) as error:
        load(tmp_path / "a.pth", Vit())
    missing, unexpected, misshapen = str(error.value).splitlines()[1:]
    assert missing == "  missing: backbone.layers.1.attn.attn.in_proj_bias"
    assert unexpected == "  unexpected: backbone.layers.0.gamma"
    assert "misshapen: backbone.layers.0.ffn.layers.0.0.bias is (1, 2)" in misshapen


def test_a_stem_of_another_kind_does_not_fit(tmp_path):
    write(tmp_path / "a.pth", ORIGINS["torchvision resnet18"])
    with pytest.raises(LoadError, match=r"missing: backbone\.stem\.0\.weight"):
        load(tmp_path / "a.pth", ResNetV1c(18))


def test_stages_that_the_model_leaves_out_are_not_used(tmp_path):
    write(tmp_path / "a.pth", ORIGINS["torchvision resnet18"])
    short = ResNet(18, num_stages=1, strides=(1,), dilations=(1,), out_indices=(0,))
    loaded = load(tmp_path / "a.pth", short)
    assert {key.partition(".")[0] for key in loaded} == {"conv1", "bn1", "layer1"}


def test_a_bias_that_the_config_leaves_out_is_warned_of(tmp_path, caplog):
    write(tmp_path / "a.pth", ORIGINS["timm vit"])
    load(tmp_path / "a.pth", Vit(patch_bias=False))
    (record,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert "patch_embed.proj.bias is left out" in record.message
    assert "model.backbone.patch_bias=True" in record.message


@pytest.mark.parametrize("name", ["norm_pre", "pre_norm"])
def test_the_norm_before_the_blocks_of_clip(tmp_path, name):
    shapes = {**ORIGINS["timm vit"], f"{name}.weight": (16,), f"{name}.bias": (16,)}
    given = write(tmp_path / "a.pth", shapes)
    loaded = load(tmp_path / "a.pth", Vit(pre_norm=True))
    np.testing.assert_array_equal(loaded["ln_pre.bias"], given[f"{name}.bias"])
    with pytest.raises(LoadError, match=r"belongs to model\.backbone\.pre_norm=True"):
        load(tmp_path / "a.pth", Vit())


@pytest.mark.parametrize("mode", ["bicubic", "bilinear"])
@pytest.mark.parametrize("grid", [(5, 7), (2, 2), (4, 3)])
def test_position_tables_are_resized_as_in_mmseg(mode, grid):
    size = (grid[0] * 8, grid[1] * 8)
    backbone = Vit(img_size=size, embed_dims=4, interpolate_mode=mode)
    resized = backbone.resize_weight("pos_embed", STORED["table"])
    expected = STORED[f"{mode}_{grid[0]}x{grid[1]}"]
    # Five units in the last place of the largest value: torch adds the taps in
    # another order.
    np.testing.assert_allclose(resized, expected, rtol=0, atol=1.3e-6)


def test_a_position_table_is_resized_on_load(tmp_path, caplog):
    caplog.set_level(logging.INFO, "jaxseg")
    given = write(tmp_path / "a.pth", ORIGINS["timm vit"])
    loaded = load(tmp_path / "a.pth", Vit(img_size=(48, 40)))
    assert loaded["pos_embed"].shape == (1, 31, 16)
    np.testing.assert_array_equal(loaded["pos_embed"][:, 0], given["pos_embed"][:, 0])
    assert "pos_embed: resized from (1, 17, 16) to (1, 31, 16)" in caplog.text


@pytest.mark.parametrize(
    "make, key",
    [
        (functools.partial(ResNet, 18), "conv1.weight"),
        (functools.partial(ResNetV1c, 18), "stem.0.weight"),
        (Vit, "patch_embed.projection.weight"),
        (functools.partial(UNet, base_channels=4), "encoder.0.0.convs.0.conv.weight"),
    ],
)
def test_first_layers_for_other_channels(tmp_path, caplog, make, key):
    caplog.set_level(logging.INFO, "jaxseg")
    given = write(tmp_path / "a.pth", shapes_of(make()))
    with pytest.raises(LoadError, match="adapt_in_channels=True in the config"):
        load(tmp_path / "a.pth", make(in_channels=6))
    loaded = load(tmp_path / "a.pth", make(in_channels=6), adapt=True)
    np.testing.assert_array_equal(
        loaded[key], np.concatenate([given[key]] * 2, axis=1) * np.float32(0.5)
    )
    assert f"backbone.{key}: adapted from 3 to 6 channels" in caplog.text


def test_there_must_be_something_to_adapt(tmp_path):
    write(tmp_path / "a.pth", ORIGINS["timm vit"])
    with pytest.raises(LoadError, match="adapt_in_channels: .* leave it out"):
        load(tmp_path / "a.pth", Vit(), adapt=True)


def test_values_that_are_not_finite_are_refused(tmp_path):
    given = write(tmp_path / "a.pth", ORIGINS["timm vit"])
    given["cls_token"][..., 0] = np.nan
    write_weights(tmp_path / "a.pth", given, {})
    with pytest.raises(LoadError, match=r"not finite: backbone\.cls_token"):
        load(tmp_path / "a.pth", Vit())


def test_a_training_starts_with_them_and_a_resumed_one_needs_no_file(
    tiny_data, tmp_path
):
    config = load_config(f"{TINY}:{tiny_data}")
    config["train_dataloader"]["batch_size"] = 8  # one for each device
    backbone = resolve_model(config["model"]).backbone
    given = write(tmp_path / "a.pth", shapes_of(backbone))
    config["model"]["pretrained"] = str(tmp_path / "a.pth")
    run = Run(config, tmp_path)
    with run.batches(0) as batches:
        batch = next(batches)
    _, state = run.fresh_state(batch)
    for params in (state.params, state.ema):
        found = to_state_dict({"params": params["backbone"]})
        for key, value in found.items():
            np.testing.assert_array_equal(value, given[key])
    (tmp_path / "a.pth").unlink()
    run.abstract_state(batch)
    with pytest.raises(LoadError):
        run.fresh_state(batch)

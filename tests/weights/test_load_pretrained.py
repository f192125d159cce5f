"""Published weights in the backbone of a fresh model."""

import logging

import jax
import numpy as np
import pytest

from jaxseg.backbones import ResNet, ResNetV1c, STDCContextPathNet
from jaxseg.backbones.stdc import FeatureFusion
from jaxseg.checkpoint.store import Checkpoints
from jaxseg.segmentors import EncoderDecoder
from jaxseg.weights.files.weights_file import write_weights
from jaxseg.weights.load import LoadError
from jaxseg.weights.load_pretrained import load_pretrained
from jaxseg.weights.pretrained import Pretrained
from jaxseg.weights.starting_weights import pretrained_parts
from tests.weights.pretrained_files import (
    NAMES,
    ORIGINS,
    Vit,
    fresh,
    load,
    shapes_of,
    stdc,
    write,
)


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


def test_the_npz_of_google_research(tmp_path):
    """Its attention and FFN by the einsums that flax computes of these kernels."""
    block, attention = "Transformer/encoderblock_1", "MultiHeadDotProductAttention_1"
    shapes = {
        "cls": (1, 1, 16),
        "embedding/kernel": (8, 8, 3, 16),
        "embedding/bias": (16,),
        "head/kernel": (16, 3),
        "pre_logits/bias": (16,),
        "Transformer/posembed_input/pos_embedding": (1, 17, 16),
        "Transformer/encoder_norm/scale": (16,),
        "Transformer/encoder_norm/bias": (16,),
    }
    for i in range(2):
        inside = {
            "LayerNorm_0/scale": (16,),
            "LayerNorm_0/bias": (16,),
            "LayerNorm_2/scale": (16,),
            "LayerNorm_2/bias": (16,),
            f"{attention}/out/kernel": (2, 8, 16),
            f"{attention}/out/bias": (16,),
            "MlpBlock_3/Dense_0/kernel": (16, 64),
            "MlpBlock_3/Dense_0/bias": (64,),
            "MlpBlock_3/Dense_1/kernel": (64, 16),
            "MlpBlock_3/Dense_1/bias": (16,),
        }
        for name in ("query", "key", "value"):
            inside[f"{attention}/{name}/kernel"] = (16, 2, 8)
            inside[f"{attention}/{name}/bias"] = (2, 8)
        shapes |= {f"Transformer/encoderblock_{i}/{k}": v for k, v in inside.items()}
    given = write(tmp_path / "ViT.npz", shapes)
    loaded = load(tmp_path / "ViT.npz", Vit(final_norm=True))
    x = np.random.default_rng(1).standard_normal((5, 16), np.float32)
    start, ours = f"{block}/{attention}", "layers.1.attn.attn."
    queries = [
        np.einsum("lc,chd->lhd", x, given[f"{start}/{name}/kernel"])
        + given[f"{start}/{name}/bias"]
        for name in ("query", "key", "value")
    ]
    found = x @ loaded[f"{ours}in_proj_weight"].T + loaded[f"{ours}in_proj_bias"]
    for one, expected in zip(np.split(found, 3, axis=1), queries, strict=True):
        np.testing.assert_allclose(one.reshape(5, 2, 8), expected, atol=1e-5)
    out = np.einsum("lhd,hdc->lc", queries[0], given[f"{start}/out/kernel"])
    found = queries[0].reshape(5, 16) @ loaded[f"{ours}out_proj.weight"].T
    np.testing.assert_allclose(found, out, atol=1e-4)
    patch = np.random.default_rng(2).standard_normal((8, 8, 3), np.float32)
    np.testing.assert_allclose(
        np.einsum("ochw,hwc->o", loaded["patch_embed.projection.weight"], patch),
        np.einsum("hwco,hwc->o", given["embedding/kernel"], patch),
        atol=1e-4,
    )
    np.testing.assert_array_equal(
        loaded["layers.1.ffn.layers.0.0.weight"].T,
        given[f"{block}/MlpBlock_3/Dense_0/kernel"],
    )
    np.testing.assert_array_equal(
        loaded["ln1.weight"], given["Transformer/encoder_norm/scale"]
    )
    np.testing.assert_array_equal(
        loaded["layers.1.ln2.bias"], given[f"{block}/LayerNorm_2/bias"]
    )


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


def test_values_that_are_not_finite_are_refused(tmp_path):
    given = write(tmp_path / "a.pth", ORIGINS["timm vit"])
    given["cls_token"][..., 0] = np.nan
    write_weights(tmp_path / "a.pth", given, {})
    with pytest.raises(LoadError, match=r"not finite: backbone\.cls_token"):
        load(tmp_path / "a.pth", Vit())

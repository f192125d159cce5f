"""Keys of the backbones whose attention has fewer keys, as their authors name them."""

import re

import numpy as np
import pytest

from jaxseg.backbones import PCPVT, SVT, MixVisionTransformer
from tests.weights.pretrained_files import load, shapes_of, write

MIT = MixVisionTransformer(
    embed_dims=4, num_layers=(1, 2, 1, 1), num_heads=(1, 2, 1, 1), mlp_ratio=2
)

TWINS = dict(
    embed_dims=(4, 8), num_heads=(1, 2), depths=(2, 1), mlp_ratios=(2, 1), qkv_bias=True
)
PCPVT_NET = PCPVT(**TWINS, sr_ratios=(2, 1), out_indices=(0, 1))
SVT_NET = SVT(
    **TWINS,
    sr_ratios=(2, 1),
    windiow_sizes=(3, 3),
    out_indices=(0, 1),
    norm_after_stage=False,
)


def theirs_of_mit(key):
    """The authors' name of one of our keys; of q for q and kv."""
    stage, part, rest = re.fullmatch(r"layers\.(\d)\.(\d)\.(.*)", key).groups()
    name = ("patch_embed", "block", "norm")[int(part)] + str(int(stage) + 1)
    for ours, theirs in {
        "projection.": "proj.",
        ".attn.in_proj_": ".q.",
        "attn.attn.out_proj.": "attn.proj.",
        "ffn.layers.0.": "mlp.fc1.",
        "ffn.layers.1.": "mlp.dwconv.dwconv.",
        "ffn.layers.4.": "mlp.fc2.",
    }.items():
        rest = rest.replace(ours, theirs)
    return f"{name}.{rest}"


def theirs_of_twins(key):
    for ours, theirs in {
        "projection.": "proj.",
        ".attn.in_proj_": ".q.",
        "attn.attn.out_proj.": "attn.proj.",
        "ffn.layers.0.0.": "mlp.fc1.",
        "ffn.layers.1.": "mlp.fc2.",
    }.items():
        key = key.replace(ours, theirs)
    key = re.sub(r"^position_encodings\.(\d)\.proj", r"pos_block.\1.proj.0", key)
    return re.sub(r"^layers\.", "blocks.", key)


def shapes_of_theirs(shapes, rename):
    """The shapes of a file of the authors' for a backbone of ours."""
    theirs = {"head.weight": (10, 8), "head.bias": (10,)}
    if rename is theirs_of_twins:
        theirs |= {"norm.weight": (8,), "norm.bias": (8,)}
    for key, shape in shapes.items():
        name = rename(key)
        if ".attn.q." in name:
            width = shape[0] // 3
            theirs[name.replace(".q.", ".kv.")] = (2 * width, *shape[1:])
            shape = (width, *shape[1:])
        if ".mlp.fc" in name:  # a 1x1 convolution in mmseg's MiT
            shape = shape[:2]
        theirs[name] = shape
    return theirs


@pytest.mark.parametrize(
    ("net", "rename"),
    [
        pytest.param(MIT, theirs_of_mit, id="mit"),
        pytest.param(PCPVT_NET, theirs_of_twins, id="pcpvt"),
        pytest.param(SVT_NET, theirs_of_twins, id="svt"),
    ],
)
def test_the_authors_weights(tmp_path, net, rename):
    shapes = shapes_of(net)
    given = write(tmp_path / "a.pth", shapes_of_theirs(shapes, rename))
    loaded = load(tmp_path / "a.pth", net)
    assert loaded.keys() == shapes.keys()
    for key, array in loaded.items():
        theirs = rename(key)
        expected = given[theirs]
        if ".attn.q." in theirs:
            expected = np.concatenate([expected, given[theirs.replace(".q.", ".kv.")]])
        np.testing.assert_array_equal(array, expected.reshape(array.shape), key)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("patch_embed1.proj.weight", "layers.0.0.projection.weight"),
        ("patch_embed4.norm.bias", "layers.3.0.norm.bias"),
        ("block2.1.norm1.weight", "layers.1.1.1.norm1.weight"),
        ("block3.0.attn.sr.weight", "layers.2.1.0.attn.sr.weight"),
        ("block3.0.attn.norm.bias", "layers.2.1.0.attn.norm.bias"),
        ("block1.0.attn.proj.bias", "layers.0.1.0.attn.attn.out_proj.bias"),
        ("block1.0.mlp.dwconv.dwconv.bias", "layers.0.1.0.ffn.layers.1.bias"),
        ("block4.0.mlp.fc2.weight", "layers.3.1.0.ffn.layers.4.weight"),
        ("norm2.weight", "layers.1.2.weight"),
    ],
)
def test_the_authors_count_the_stages_of_mit_from_one(theirs, ours):
    assert MIT.key_table.rename(theirs, ()) == ours


@pytest.mark.parametrize(
    ("net", "theirs", "ours"),
    [
        (PCPVT, "patch_embeds.1.proj.bias", "patch_embeds.1.projection.bias"),
        (PCPVT, "patch_embeds.1.norm.bias", "patch_embeds.1.norm.bias"),
        (PCPVT, "pos_block.3.proj.0.weight", "position_encodings.3.proj.weight"),
        (PCPVT, "blocks.2.4.attn.proj.bias", "layers.2.4.attn.attn.out_proj.bias"),
        (PCPVT, "blocks.0.0.attn.sr.weight", "layers.0.0.attn.sr.weight"),
        (PCPVT, "blocks.0.1.mlp.fc1.weight", "layers.0.1.ffn.layers.0.0.weight"),
        (SVT, "blocks.2.17.attn.proj.bias", "layers.2.17.attn.attn.out_proj.bias"),
        (SVT, "blocks.2.10.attn.proj.bias", "layers.2.10.attn.proj.bias"),
        (SVT, "blocks.2.10.attn.qkv.weight", "layers.2.10.attn.qkv.weight"),
        (SVT, "blocks.0.1.mlp.fc2.bias", "layers.0.1.ffn.layers.1.bias"),
    ],
)
def test_the_authors_names_of_twins(net, theirs, ours):
    assert net.key_table.rename(theirs, ()) == ours


def test_classifiers_have_no_norm_behind_the_stages():
    net = SVT_NET.clone(norm_after_stage=True)
    behind = {key for key in shapes_of(net) if key.startswith("norm_list.")}
    assert behind == shapes_of(net).keys() - shapes_of(SVT_NET).keys()
    assert {key.partition(".")[0] for key in behind} == set(net.fresh_modules)
